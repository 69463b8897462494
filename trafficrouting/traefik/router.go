package traefik

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/inplace"
)

// New makes a Router of TraefikServices: see inplace.New.
func New(reader client.Reader, writer client.Writer, served meta.RESTMapper) *inplace.Router {
	return inplace.New(inplace.Definition{
		Kind:      TraefikService{},
		GroupKind: schema.GroupKind{Group: "traefik.io", Kind: v1alpha1.KindTraefikService},
		Versions:  []string{"v1alpha1"},
		Settle:    trafficrouting.SettleTraefik,
		Source:    v1alpha1.SourceTraefik,
		Install:   "install the CRDs of Traefik, of version 3.0 or later",
	}, reader, writer, served)
}
