// Command knative-go serves the admission webhook that Knative builds its own webhooks with, for one kind of object, so
// that it can be measured beside others. Usage: knative-go PORT CERTIFICATE-DIRECTORY LOG-LEVEL
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/system"
	"knative.dev/pkg/webhook"
	"knative.dev/pkg/webhook/certificates/resources"
	"knative.dev/pkg/webhook/resourcesemantics"
	"knative.dev/pkg/webhook/resourcesemantics/defaulting"
	"knative.dev/pkg/webhook/resourcesemantics/validation"

	_ "knative.dev/pkg/client/injection/kube/client/fake"
	_ "knative.dev/pkg/client/injection/kube/informers/admissionregistration/v1/mutatingwebhookconfiguration/fake"
	_ "knative.dev/pkg/client/injection/kube/informers/admissionregistration/v1/validatingwebhookconfiguration/fake"
	_ "knative.dev/pkg/injection/clients/namespacedkube/informers/core/v1/secret/fake"
	kubefactory "knative.dev/pkg/injection/clients/namespacedkube/informers/factory/fake"
)

const secretName = "webhook-certs"

func main() {
	port, err := strconv.Atoi(os.Args[1])
	check(err)
	check(os.Setenv(system.NamespaceEnvKey, "bench"))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	logger, _ := logging.NewLogger("", os.Args[3])
	ctx = logging.WithLogger(ctx, logger)
	ctx, _ = injection.Fake.SetupInformers(injection.WithConfig(ctx, &rest.Config{}), &rest.Config{})
	ctx = webhook.WithOptions(ctx, webhook.Options{ServiceName: "bench", Port: port, SecretName: secretName})
	check(storeCertificates(ctx, os.Args[2]))

	types := map[schema.GroupVersionKind]resourcesemantics.GenericCRD{
		{Group: "serving.knative.dev", Version: "v1", Kind: "StagePodAutoscaler"}: &StagePodAutoscaler{},
	}
	same := func(ctx context.Context) context.Context { return ctx }
	server, err := webhook.New(ctx, []interface{}{
		admission(defaulting.NewAdmissionController(ctx, "defaulting", "/defaulting", types, same, true)),
		admission(validation.NewAdmissionController(ctx, "validation", "/resource-validation", types, same, true)),
	})
	check(err)
	server.InformersHaveSynced()
	check(server.Run(ctx.Done()))
}

// storeCertificates puts the pair of the directory where the webhook reads it from: the cache of secrets.
func storeCertificates(ctx context.Context, directory string) error {
	certificate, err := os.ReadFile(filepath.Join(directory, "tls.crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(directory, "tls.key"))
	if err != nil {
		return err
	}
	return kubefactory.Get(ctx).Core().V1().Secrets().Informer().GetIndexer().Add(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: secretName, Namespace: "bench"},
		Data:       map[string][]byte{resources.ServerCert: certificate, resources.ServerKey: key},
	})
}

func admission(made *controller.Impl) interface{} { return made.Reconciler }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
