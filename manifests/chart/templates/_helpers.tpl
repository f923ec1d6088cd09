{{- define "stagegate.image" -}}
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

{{- /* "true" if Helm installs or upgrades itself; empty if it only renders what others apply. */ -}}
{{- define "stagegate.installs" -}}
{{- if lookup "v1" "Namespace" "" "kube-system" }}true{{ end -}}
{{- end -}}

{{- /* "true" if the namespace of the release is one of the objects. */ -}}
{{- define "stagegate.createNamespace" -}}
{{- if kindIs "invalid" .Values.namespace.create -}}
{{- and (eq .Release.Namespace "stagegate-system") (not (include "stagegate.installs" .)) -}}
{{- else -}}
{{- .Values.namespace.create -}}
{{- end -}}
{{- end -}}
