package alb

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/inplace"
)

// New makes a Router of actions of Ingresses: see inplace.New.
func New(reader client.Reader, writer client.Writer, served meta.RESTMapper) *inplace.Router {
	return inplace.New(inplace.Definition{
		Kind:      Action{},
		GroupKind: schema.GroupKind{Group: "networking.k8s.io", Kind: v1alpha1.KindIngress},
		Versions:  []string{"v1"},
		Owned:     []string{"f:metadata", "f:annotations"},
		Settle:    trafficrouting.SettleAWS,
		Install:   "it needs Kubernetes 1.19 or later",
	}, reader, writer, served)
}
