package prometheus

import (
	"testing"

	"github.com/prometheus/common/model"
)

func TestTwice(t *testing.T) {
	stream := func(replica string, values ...float64) *model.SampleStream {
		s := &model.SampleStream{Metric: model.Metric{"__name__": "requests", "pod": "a"}}
		if replica != "" {
			s.Metric["prometheus_replica"] = model.LabelValue(replica)
		}
		for i, v := range values {
			s.Values = append(s.Values, model.SamplePair{Timestamp: model.Time(15000 * i), Value: model.SampleValue(v)})
		}
		return s
	}
	other := stream("b", 10, 20, 31)
	other.Metric["pod"] = "b"
	for _, row := range []struct {
		name   string
		matrix model.Matrix
		want   string
	}{
		{"one server", model.Matrix{stream("a", 10, 20, 30)}, ""},
		{"two servers", model.Matrix{stream("a", 10, 20, 30), stream("b", 12, 22, 33)}, "candidate.total: two servers count the same requests: " +
			`requests{pod="a"} is there from prometheus_replica="a" and from "b"; select one of them, such as with prometheus_replica="a", ` +
			"or ask a server that merges them"},
		{"two servers while nothing is served", model.Matrix{stream("a", 30, 30), stream("b", 30, 30)}, "two"},
		{"two pods", model.Matrix{stream("a", 10, 20, 30), other}, ""},
		{"two replicas that count for themselves", model.Matrix{stream("a", 10, 20, 30), stream("b", 500, 510, 520)}, ""},
		{"nothing counted", model.Matrix{stream("a", 0, 0), stream("b", 0, 0)}, ""},
		{"no label of a server", model.Matrix{stream("", 10, 20)}, ""},
	} {
		err := twice(row.matrix)
		if (err != nil) != (row.want != "") {
			t.Errorf("%s: error %v, want %q", row.name, err, row.want)
		}
		if len(row.want) > 10 && at("candidate.total", err).Error() != row.want {
			t.Errorf("%s: error %v\nwant %s", row.name, at("candidate.total", err), row.want)
		}
	}
}
