package main

import (
	"context"
	"math"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/pkg/apis"
)

// StagePodAutoscaler has the shape of the object that is measured: metadata, two bounds, and a status.
type StagePodAutoscaler struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   Spec   `json:"spec,omitempty"`
	Status Status `json:"status,omitempty"`
}

// Spec holds the bounds; absent and 0 differ.
type Spec struct {
	MinScale *int32 `json:"stageMinScale,omitempty"`
	MaxScale *int32 `json:"stageMaxScale,omitempty"`
}

// Status holds what runs.
type Status struct {
	DesiredScale *int32 `json:"desiredScale,omitempty"`
	ActualScale  *int32 `json:"actualScale,omitempty"`
}

// SetDefaults fills in the label that names the revision.
func (s *StagePodAutoscaler) SetDefaults(context.Context) {
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	if _, stated := s.Labels["serving.knative.dev/revision"]; !stated {
		s.Labels["serving.knative.dev/revision"] = s.Name
	}
}

// Validate checks the bounds, one by one and against each other.
func (s *StagePodAutoscaler) Validate(context.Context) *apis.FieldError {
	var problems *apis.FieldError
	for field, bound := range map[string]*int32{"stageMinScale": s.Spec.MinScale, "stageMaxScale": s.Spec.MaxScale} {
		if bound != nil && *bound < 0 {
			problems = problems.Also(apis.ErrOutOfBoundsValue(*bound, 0, math.MaxInt32, "spec."+field))
		}
	}
	if s.Spec.MinScale != nil && s.Spec.MaxScale != nil && *s.Spec.MaxScale != 0 && *s.Spec.MinScale > *s.Spec.MaxScale {
		problems = problems.Also(apis.ErrInvalidValue(*s.Spec.MinScale, "spec.stageMinScale"))
	}
	return problems
}

// DeepCopyObject returns an independent copy.
func (s *StagePodAutoscaler) DeepCopyObject() runtime.Object {
	made := *s
	made.ObjectMeta = *s.ObjectMeta.DeepCopy()
	for _, scale := range []**int32{&made.Spec.MinScale, &made.Spec.MaxScale, &made.Status.DesiredScale, &made.Status.ActualScale} {
		if *scale != nil {
			value := **scale
			*scale = &value
		}
	}
	return &made
}
