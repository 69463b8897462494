package istio

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/inplace"
)

// New makes a Router of VirtualServices: see inplace.New.
func New(reader client.Reader, writer client.Writer, served meta.RESTMapper) *inplace.Router {
	return inplace.New(inplace.Definition{
		Kind:      VirtualService{},
		GroupKind: schema.GroupKind{Group: "networking.istio.io", Kind: v1alpha1.KindVirtualService},
		Versions:  []string{"v1", "v1beta1", "v1alpha3"},
		Settle:    trafficrouting.SettleIstio,
		Source:    v1alpha1.SourceIstio,
		Install:   "install Istio",
	}, reader, writer, served)
}
