package main

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
)

// The revision that is announced and planned is the one that the controller makes: with the names of copies, of the content
// that was seen last, or of the version that the spec is pinned to.
func TestIdentityHasTheContent(t *testing.T) {
	template := func(name string) string {
		return `{"spec":{"containers":[{"envFrom":[{"configMapRef":{"name":"` + name + `"}},{"secretRef":{"name":"restarted"}}]}]}}`
	}
	r := &v1alpha1.Rollout{}
	r.Name = "web"
	r.Spec.Template = runtime.RawExtension{Raw: []byte(template("web-config"))}
	r.Spec.Configuration = &v1alpha1.Configuration{
		ConfigMaps: []v1alpha1.ConfigurationReference{{Name: "web-config"}},
		Secrets:    []v1alpha1.ConfigurationReference{{Name: "restarted", OnChange: v1alpha1.ConfigurationChangeRestart}},
	}
	seen := []v1alpha1.ConfigurationStatus{
		{Kind: v1alpha1.KindConfigMap, Name: "web-config", Hash: "bcd"}, {Kind: v1alpha1.KindSecret, Name: "restarted", Hash: "fgh"},
	}
	for name, tt := range map[string]struct {
		version string
		seen    []v1alpha1.ConfigurationStatus
		want    string
	}{
		"not seen yet": {want: "web-config"},
		"seen":         {seen: seen, want: "web-config-web-bcd"},
		"pinned":       {version: "jkl", seen: seen, want: "web-config-web-jkl"},
	} {
		r.Spec.Configuration.ConfigMaps[0].Version, r.Status.Configuration = tt.version, tt.seen
		want, err := revision.Hash([]byte(template(tt.want)), 0)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := targetOf(r, nil); err != nil || got != want {
			t.Errorf("%s: %s, %v; want that of %s", name, got, err, tt.want)
		}
	}
}
