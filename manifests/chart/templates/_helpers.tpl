{{- define "stagegate.image" -}}
{{- if and .Values.image.tag .Values.image.digest -}}
{{- fail (printf "image.tag (%s) and image.digest (%s) are both set: leave image.tag out, or set image.digest to \"\" (a packed chart has the digest of its image)" .Values.image.tag .Values.image.digest) -}}
{{- end -}}
{{- with .Values.image.registry }}{{ . }}/{{ end -}}
{{- .Values.image.repository -}}
{{- if .Values.image.digest -}}
@{{ .Values.image.digest }}
{{- else -}}
:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* The exempt accounts as members of a CEL list, each with a comma behind it. */ -}}
{{- define "stagegate.controllers" -}}
{{- range .Values.controllers }}'{{ . }}', {{ end -}}
{{- end -}}

{{- /*
"true" if Helm renders what others apply; empty if it installs. Without a cluster, Helm assumes every version that its
client knows. No Kubernetes since 1.22 serves this one.
*/ -}}
{{- define "stagegate.rendersForOthers" -}}
{{- if .Capabilities.APIVersions.Has "extensions/v1beta1" }}true{{ end -}}
{{- end -}}

{{- /* "true" if the namespace of the release is one of the objects. */ -}}
{{- define "stagegate.createNamespace" -}}
{{- if kindIs "invalid" .Values.namespace.create -}}
{{- and (eq .Release.Namespace "stagegate-system") (eq (include "stagegate.rendersForOthers" .) "true") -}}
{{- else -}}
{{- .Values.namespace.create -}}
{{- end -}}
{{- end -}}

{{- /* "true" if the hook of the uninstallation is one of the objects. */ -}}
{{- define "stagegate.releasesServices" -}}
{{- if and .Values.stockKnative.enabled .Values.steps -}}
{{- if kindIs "invalid" .Values.uninstall.releaseServices -}}
{{- or (not (include "stagegate.rendersForOthers" .)) (.Capabilities.APIVersions.Has "serving.knative.dev/v1/Service") -}}
{{- else -}}
{{- .Values.uninstall.releaseServices -}}
{{- end -}}
{{- end -}}
{{- end -}}
