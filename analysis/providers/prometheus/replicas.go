package prometheus

import (
	"fmt"
	"math"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// tellsReplicas says whether a label is one by which servers that scrape the same targets are told apart.
func tellsReplicas(name model.LabelName) bool {
	return name == "prometheus" || strings.Contains(string(name), "replica")
}

// twice says that the same requests are counted twice: two servers scrape the same targets, and nobody merges what they
// have. Such series differ in the name of a server only, and have nearly the same value: by no more than the counter grew
// within the time that was read, as the servers scrape at different moments. A counter that stands at 0 tells nothing.
func twice(matrix model.Matrix) error {
	known := map[model.Fingerprint]*model.SampleStream{}
	for _, stream := range matrix {
		rest := model.Metric{}
		label := model.LabelName("")
		for name, value := range stream.Metric {
			if tellsReplicas(name) {
				label = name
				continue
			}
			rest[name] = value
		}
		if label == "" {
			continue
		}
		other, seen := known[rest.Fingerprint()]
		if seen && nearlyEqual(other, stream) {
			return queryFault(v1alpha1.ReasonAmbiguous, fmt.Sprintf(
				"two servers count the same requests: %s is there from %s=%q and from %q; select one of them, such as with %s=%q, "+
					"or ask a server that merges them",
				fetch.Printable(rest.String(), fetch.ShownText), label, other.Metric[label], stream.Metric[label], label, other.Metric[label]))
		}
		known[rest.Fingerprint()] = stream
	}
	return nil
}

// nearlyEqual says whether two series may be the same counter, read by two servers.
func nearlyEqual(a, b *model.SampleStream) bool {
	from, to := points(a), points(b)
	if len(from) == 0 || len(to) == 0 {
		return false
	}
	first, last, other := float64(from[0].Value), float64(from[len(from)-1].Value), float64(to[len(to)-1].Value)
	return last > 0 && other > 0 && math.Abs(last-other) <= max(last-first, 0)
}
