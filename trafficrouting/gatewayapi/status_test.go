package gatewayapi

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/golden/render"
)

func TestAccepted(t *testing.T) {
	const (
		one = `
  - name: public`
		two = `
  - name: public
    sectionName: https
  - name: internal
    namespace: infra`
	)
	for name, tc := range map[string]struct {
		parentRefs, parents string
		defaultGateways     string
		want                bool
		wantReason          string
		wantMessage         string
	}{
		"accepted": {
			parentRefs: one, parents: report("name: public", "Accepted=True@7 ResolvedRefs=True@7"), want: true,
		},
		"accepted at a later generation": {
			parentRefs: one, parents: report("name: public", "Accepted=True@8 ResolvedRefs=True@8"), want: true,
		},
		"defaults in writing": {
			parentRefs: one, want: true,
			parents: report("{group: gateway.networking.k8s.io, kind: Gateway, name: public, namespace: shop}",
				"Accepted=True@7 ResolvedRefs=True@7"),
		},
		"no status yet":           {parentRefs: one, parents: " []"},
		"a report on another one": {parentRefs: one, parents: report("name: other", "Accepted=True@7 ResolvedRefs=True@7")},
		"a report on the same name in another namespace": {
			parentRefs: one,
			parents:    report("{name: public, namespace: infra}", "Accepted=True@7 ResolvedRefs=True@7"),
		},
		"a report of an earlier generation": {
			parentRefs: one, parents: report("name: public", "Accepted=True@6 ResolvedRefs=True@6"),
		},
		"a refusal of an earlier generation": {
			parentRefs: one, parents: report("name: public", "Accepted=False@6 ResolvedRefs=False@6"),
		},
		"one condition is behind": {
			parentRefs: one, parents: report("name: public", "Accepted=True@7 ResolvedRefs=True@6"),
		},
		"one condition is missing": {parentRefs: one, parents: report("name: public", "Accepted=True@7")},
		"a condition is unknown": {
			parentRefs: one, parents: report("name: public", "Accepted=Unknown@7 ResolvedRefs=True@7"),
		},
		"refused": {
			parentRefs: one, parents: report("name: public", "Accepted=False@7 ResolvedRefs=True@7"),
			wantReason: v1alpha1.ReasonRouteNotAccepted, wantMessage: "Gateway shop/public reports Accepted=False (Why): because",
		},
		"references do not resolve": {
			parentRefs: one, parents: report("name: public", "Accepted=True@7 ResolvedRefs=False@7"),
			wantReason: v1alpha1.ReasonRouteNotAccepted, wantMessage: "Gateway shop/public reports ResolvedRefs=False (Why): because",
		},
		"one of two parents has not reported": {
			parentRefs: two, parents: report("{name: public, sectionName: https}", "Accepted=True@7 ResolvedRefs=True@7"),
		},
		"both parents have": {
			parentRefs: two, want: true,
			parents: report("{name: public, sectionName: https}", "Accepted=True@7 ResolvedRefs=True@7") +
				report("{name: internal, namespace: infra}", "Accepted=True@7 ResolvedRefs=True@7"),
		},
		"a report on another section": {
			parentRefs: two,
			parents: report("{name: public, sectionName: http}", "Accepted=True@7 ResolvedRefs=True@7") +
				report("{name: internal, namespace: infra}", "Accepted=True@7 ResolvedRefs=True@7"),
		},
		"one of two parents refuses": {
			parentRefs: two, wantReason: v1alpha1.ReasonRouteNotAccepted,
			parents: report("{name: public, sectionName: https}", "Accepted=False@7 ResolvedRefs=True@7") +
				report("{name: internal, namespace: infra}", "Accepted=True@7 ResolvedRefs=True@7"),
			wantMessage: "Gateway shop/public, section https reports Accepted=False (Why): because",
		},
		"a report that a controller of the gateway left when it was replaced": {
			parentRefs: one, want: true,
			parents: report("name: public", "Accepted=True@6 ResolvedRefs=False@6") +
				report("name: public", "Accepted=True@7 ResolvedRefs=True@7"),
		},
		"two controllers on one parent, one not through": {
			parentRefs: one,
			parents: report("name: public", "Accepted=True@7 ResolvedRefs=True@7") +
				report("name: public", "Accepted=True@7 ResolvedRefs=True@6"),
		},
		"two meshes, one behind": {
			parentRefs: "\n  - {group: '', kind: Service, name: web}",
			parents: report("{group: '', kind: Service, name: web}", "Accepted=True@7 ResolvedRefs=True@7") +
				report("{group: '', kind: Service, name: web}", "Accepted=True@6 ResolvedRefs=True@6"),
		},
		"two controllers on one parent, one refuses": {
			parentRefs: one,
			parents: report("name: public", "Accepted=True@7 ResolvedRefs=True@7") +
				report("name: public", "Accepted=True@7 ResolvedRefs=False@7"),
			wantReason: v1alpha1.ReasonRouteNotAccepted, wantMessage: "Gateway shop/public reports ResolvedRefs=False (Why): because",
		},
		"a parent that left the spec is of no account": {
			parentRefs: one, want: true,
			parents: report("name: public", "Accepted=True@7 ResolvedRefs=True@7") +
				report("name: gone", "Accepted=False@7 ResolvedRefs=True@7"),
		},
		"a mesh": {
			parentRefs: "\n  - {group: '', kind: Service, name: web, port: 80}", want: true,
			parents: report("{group: '', kind: Service, name: web, port: 80}", "Accepted=True@7 ResolvedRefs=True@7"),
		},
		"no parent": {
			parentRefs: " []", parents: " []", wantReason: v1alpha1.ReasonRouteNotAccepted,
			wantMessage: "spec.parentRefs is empty, so that no gateway serves the route: name a Gateway in spec.parentRefs",
		},
		"default gateways, none yet": {parentRefs: " []", parents: " []", defaultGateways: "All"},
		"default gateways": {
			parentRefs: " []", parents: report("name: public", "Accepted=True@7 ResolvedRefs=True@7"), defaultGateways: "All",
			want: true,
		},
		"a status that is no status": {
			parentRefs: one, parents: " [7]", wantReason: v1alpha1.ReasonRouteUnusable,
			wantMessage: "spec.parentRefs or status.parents cannot be read",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := "metadata: {name: web, namespace: shop, generation: 7}\nkind: HTTPRoute\nspec:\n  parentRefs:" +
				tc.parentRefs + "\n"
			if tc.defaultGateways != "" {
				text += "  useDefaultGateways: " + tc.defaultGateways + "\n"
			}
			got, err := Accepted(render.Parse(t, text+"status:\n  parents:"+tc.parents+"\n"))
			if got != tc.want {
				t.Errorf("accepted is %v, want %v", got, tc.want)
			}
			wantProblem(t, err, tc.wantReason, tc.wantMessage)
		})
	}
}

// wantProblem holds that an error is a RouteError with a reason and the beginning of a message, or nil for no reason.
func wantProblem(t *testing.T, err error, reason, message string) {
	t.Helper()
	if reason == "" {
		if err != nil {
			t.Errorf("unexpected error: %v", err)
		}
		return
	}
	var mend *RouteError
	if !errors.As(err, &mend) || mend.Reason != reason || !strings.HasPrefix(mend.Message, message) {
		t.Errorf("error is %#v, want %s: %s", err, reason, message)
	}
}

// report writes an entry of status.parents: conditions are Type=Status@generation.
func report(parentRef, conditions string) string {
	var b strings.Builder
	b.WriteString("\n  - controllerName: example.com/gateway\n    parentRef: {" + strings.Trim(parentRef, "{}") + "}")
	b.WriteString("\n    conditions:")
	for _, c := range strings.Fields(conditions) {
		kind, rest, _ := strings.Cut(c, "=")
		status, generation, _ := strings.Cut(rest, "@")
		b.WriteString("\n    - {type: " + kind + ", status: '" + status + "', observedGeneration: " + generation +
			", reason: Why, message: because, lastTransitionTime: '2020-01-01T00:00:00Z'}")
	}
	return b.String()
}
