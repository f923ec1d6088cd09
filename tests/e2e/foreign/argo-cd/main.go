// Command argo-cd runs what a sync needs of Argo CD: the application controller and the repository server, and for
// their cache the Redis that Argo CD's own tests use. The command health assesses objects as the controller does.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	repository "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
)

func main() {
	root := &cobra.Command{Use: "argo-cd", SilenceUsage: true}
	root.AddCommand(controller.NewCommand(), repository.NewCommand(), redis(), assess())
	if root.Execute() != nil {
		os.Exit(1)
	}
}

// redis serves on an address until it is ended.
func redis() *cobra.Command {
	return &cobra.Command{
		Use:  "redis ADDRESS",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			server := miniredis.NewMiniRedis()
			if err := server.StartAddr(arguments[0]); err != nil {
				return err
			}
			defer server.Close()
			ended := make(chan os.Signal, 1)
			signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
			<-ended
			return nil
		},
	}
}

// assess reads {"checks": {"group/Kind": "a check in Lua"}, "object": {...}} a line, and writes a line for each: the
// health of the object.
func assess() *cobra.Command {
	return &cobra.Command{
		Use:  "health",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			decoder := json.NewDecoder(bufio.NewReader(command.InOrStdin()))
			encoder := json.NewEncoder(command.OutOrStdout())
			for {
				var asked struct {
					Checks map[string]string `json:"checks"`
					Object map[string]any    `json:"object"`
				}
				if err := decoder.Decode(&asked); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				overrides := lua.ResourceHealthOverrides{}
				for kind, check := range asked.Checks {
					overrides[kind] = v1alpha1.ResourceOverride{HealthLua: check}
				}
				found, err := health.GetResourceHealth(&unstructured.Unstructured{Object: asked.Object}, overrides)
				if err != nil {
					return fmt.Errorf("health: %w", err)
				}
				if err := encoder.Encode(found); err != nil {
					return err
				}
			}
		},
	}
}
