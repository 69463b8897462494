package analysis

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Fields gives the value of a field of the Rollout by its path. The error says what to write, or what is missing.
type Fields func(path string) (string, error)

// FieldsOf reads the fields of a Rollout.
func FieldsOf(rollout *v1alpha1.Rollout) Fields {
	return func(path string) (string, error) {
		name, key, keyed, err := parseField(path)
		if err != nil {
			return "", err
		}
		value := fieldOf(rollout, name)
		if keyed {
			value = map[string]map[string]string{"metadata.labels": rollout.Labels, "metadata.annotations": rollout.Annotations}[name][key]
		}
		if value == "" {
			return "", fmt.Errorf("the Rollout has no %s; set it, or give the argument a value", path)
		}
		return value, nil
	}
}

// fieldOf is the value of a field without a key.
func fieldOf(rollout *v1alpha1.Rollout, name string) string {
	switch name {
	case "metadata.name":
		return rollout.Name
	case "metadata.namespace":
		return rollout.Namespace
	case "metadata.uid":
		return string(rollout.UID)
	case "spec.replicas":
		if rollout.Spec.Replicas != nil {
			return strconv.Itoa(int(*rollout.Spec.Replicas))
		}
	case "spec.services.active":
		if rollout.Spec.Services != nil {
			return rollout.Spec.Services.Active
		}
	case "spec.services.standby":
		if rollout.Spec.Services != nil {
			return rollout.Spec.Services.StandbyName()
		}
	}
	return ""
}

// parseField reads a path: the name of a field, and a key in quotes where it has one: metadata.labels['team'].
func parseField(path string) (name, key string, keyed bool, err error) {
	name, rest, keyed := strings.Cut(path, "[")
	key = strings.TrimSuffix(rest, "]")
	quoted := len(key) > 2 && (key[0] == '\'' || key[0] == '"') && key[len(key)-1] == key[0]
	switch name {
	case "metadata.labels", "metadata.annotations":
		if keyed && quoted && strings.HasSuffix(rest, "]") {
			return name, key[1 : len(key)-1], true, nil
		}
	case "metadata.name", "metadata.namespace", "metadata.uid", "spec.replicas", "spec.services.active", "spec.services.standby":
		if !keyed {
			return name, "", false, nil
		}
	}
	return "", "", false, fmt.Errorf("%q is no field that can be used; write metadata.name, metadata.namespace, metadata.uid, "+
		"metadata.labels['…'], metadata.annotations['…'], spec.replicas, spec.services.active or spec.services.standby", clip(path, maxInMessages))
}

// secretArgs are the arguments whose values stay in Secrets.
type secretArgs map[string]v1alpha1.SecretKeyReference

// secretsOf finds those among arguments.
func secretsOf(args []v1alpha1.Argument) secretArgs {
	found := secretArgs{}
	for _, arg := range args {
		if arg.ValueFrom != nil && arg.ValueFrom.SecretKeyRef != nil {
			found[arg.Name] = *arg.ValueFrom.SecretKeyRef
		}
	}
	return found
}

// place lets headers that end with such an argument refer to its Secret, which is read when the request is made, and refuses
// it anywhere else: what is put into a query or an address is stored, and told to whoever reads the run.
func (s secretArgs) place(metric v1alpha1.Metric) (v1alpha1.Metric, error) {
	if len(s) == 0 {
		return metric, nil
	}
	out := *metric.DeepCopy()
	for _, headers := range headersOf(&out) {
		for i := range headers {
			s.placeIn(&headers[i])
		}
	}
	for _, t := range textsOf(&out) {
		for _, match := range placeholder.FindAllStringSubmatch(*t.at, -1) {
			if _, secret := s[match[1]]; secret {
				return metric, &Fault{Reason: v1alpha1.ReasonArgumentInvalid, Field: t.field, Message: fmt.Sprintf(
					"argument %q comes from a Secret, and may stand only at the end of the value of a header, such as "+
						"\"Bearer {{args.%s}}\"; everything else is stored in the AnalysisRun", match[1], match[1])}
			}
		}
	}
	return out, nil
}

// placeIn lets one header refer to a Secret, if it ends with the argument of one and has none yet.
func (s secretArgs) placeIn(header *v1alpha1.MetricHeader) {
	matches := placeholder.FindAllStringSubmatchIndex(header.Value, -1)
	if len(matches) == 0 || header.SecretKeyRef != nil {
		return
	}
	last := matches[len(matches)-1]
	ref, secret := s[header.Value[last[2]:last[3]]]
	if secret && last[1] == len(header.Value) {
		header.Value, header.SecretKeyRef = header.Value[:last[0]], &ref
	}
}

// headersOf are the headers of a metric's provider.
func headersOf(metric *v1alpha1.Metric) [][]v1alpha1.MetricHeader {
	var found [][]v1alpha1.MetricHeader
	if p := metric.Provider.Prometheus; p != nil {
		found = append(found, p.Headers)
	}
	if p := metric.Provider.Web; p != nil {
		found = append(found, p.Headers)
	}
	return found
}
