package v1alpha1

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// TenthsPerPercent is the number of units of a parsed weight in one percent of traffic.
const TenthsPerPercent = 10

// MaxWeight is all traffic, in tenths of a percent.
const MaxWeight int32 = 100 * TenthsPerPercent

// weightPattern is what the schema allows for a weight that is written as a string: "0" to "100", with at most one
// decimal. There is no sign, no exponent and no percent character.
const weightPattern = `^(100(\.0)?|[0-9]{1,2}(\.[0-9])?)$`

// ParseWeight turns a weight of the API into tenths of a percent: 12 is 120, "12.5" is 125, "100" is 1000. The error
// says what to write instead.
func ParseWeight(w intstr.IntOrString) (tenths int32, err error) {
	if w.Type == intstr.Int {
		if w.IntVal < 0 || w.IntVal > 100 {
			return 0, notAWeight(w)
		}
		return w.IntVal * TenthsPerPercent, nil
	}
	if ok, err := regexp.MatchString(weightPattern, w.StrVal); err != nil || !ok {
		return 0, notAWeight(w)
	}
	whole, tenth, _ := strings.Cut(w.StrVal, ".")
	if tenth == "" {
		tenth = "0"
	}
	n, err := strconv.ParseInt(whole+tenth, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("weight %q: %w", w.StrVal, err)
	}
	return int32(n), nil
}

func notAWeight(w intstr.IntOrString) error {
	return fmt.Errorf("%q: a weight is a percentage of traffic: write a number from 0 to 100, or tenths as a string such "+
		"as \"12.5\"", w.String())
}

// FormatWeight writes tenths of a percent as a person writes a percentage: 120 is "12", 125 is "12.5". For 0 to 1000 it
// is the inverse of ParseWeight.
func FormatWeight(tenths int32) string {
	if tenths%TenthsPerPercent == 0 {
		return strconv.Itoa(int(tenths / TenthsPerPercent))
	}
	return strconv.FormatFloat(float64(tenths)/TenthsPerPercent, 'f', 1, 64)
}
