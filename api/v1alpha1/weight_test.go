package v1alpha1

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestParseWeight(t *testing.T) {
	cases := map[string]struct {
		weight intstr.IntOrString
		want   int32
	}{
		"nothing":            {weight: intstr.FromInt32(0), want: 0},
		"one percent":        {weight: intstr.FromInt32(1), want: 10},
		"everything":         {weight: intstr.FromInt32(100), want: 1000},
		"tenths":             {weight: intstr.FromString("12.5"), want: 125},
		"less than one":      {weight: intstr.FromString("0.1"), want: 1},
		"whole as a string":  {weight: intstr.FromString("50"), want: 500},
		"leading zero":       {weight: intstr.FromString("05"), want: 50},
		"hundred with tenth": {weight: intstr.FromString("100.0"), want: 1000},
		"hundred":            {weight: intstr.FromString("100"), want: 1000},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseWeight(tc.weight)
			if err != nil {
				t.Fatalf("ParseWeight(%s): %v", tc.weight.String(), err)
			}
			if got != tc.want {
				t.Errorf("ParseWeight(%s) = %d, want %d", tc.weight.String(), got, tc.want)
			}
		})
	}
}

func TestParseWeightRefuses(t *testing.T) {
	cases := map[string]intstr.IntOrString{
		"negative":          intstr.FromInt32(-1),
		"more than all":     intstr.FromInt32(101),
		"more than all, .1": intstr.FromString("100.1"),
		"percent character": intstr.FromString("20%"),
		"hundredths":        intstr.FromString("12.55"),
		"empty":             intstr.FromString(""),
		"no digit after":    intstr.FromString("12."),
		"no digit before":   intstr.FromString(".5"),
		"sign":              intstr.FromString("+5"),
		"exponent":          intstr.FromString("1e1"),
		"space":             intstr.FromString(" 5"),
		"line break":        intstr.FromString("5\n"),
		"other digits":      intstr.FromString("५"),
	}
	for name, weight := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseWeight(weight)
			if err == nil {
				t.Fatalf("ParseWeight(%q) = %d, want an error", weight.String(), got)
			}
			if want := "write a number from 0 to 100"; !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say what to write: want %q in it", err, want)
			}
		})
	}
}

func TestFormatWeight(t *testing.T) {
	for tenths, want := range map[int32]string{0: "0", 1: "0.1", 10: "1", 125: "12.5", 999: "99.9", 1000: "100"} {
		if got := FormatWeight(tenths); got != want {
			t.Errorf("FormatWeight(%d) = %q, want %q", tenths, got, want)
		}
	}
}

// TestWeightRoundTrip goes through every weight that there is.
func TestWeightRoundTrip(t *testing.T) {
	for want := int32(0); want <= MaxWeight; want++ {
		got, err := ParseWeight(intstr.FromString(FormatWeight(want)))
		if err != nil || got != want {
			t.Fatalf("ParseWeight(FormatWeight(%d)) = %d, %v", want, got, err)
		}
	}
}

func FuzzParseWeight(f *testing.F) {
	for _, seed := range []string{"0", "0.1", "12.5", "100", "100.0", "100.1", "-1", "1e2", "", "٣"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tenths, err := ParseWeight(intstr.FromString(s))
		if err != nil {
			return
		}
		if tenths < 0 || tenths > MaxWeight {
			t.Fatalf("ParseWeight(%q) = %d, outside 0 to %d", s, tenths, MaxWeight)
		}
		again, err := ParseWeight(intstr.FromString(FormatWeight(tenths)))
		if err != nil || again != tenths {
			t.Fatalf("ParseWeight(%q) = %d, and again from %q: %d, %v", s, tenths, FormatWeight(tenths), again, err)
		}
	})
}
