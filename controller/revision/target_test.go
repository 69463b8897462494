package revision

import "testing"

func TestTarget(t *testing.T) {
	const template, other = `{"spec":{"containers":[{"name":"web","image":"v1"}]}}`, `{"spec":{}}`
	hash := func(template string, count int32) string {
		out, err := Hash([]byte(template), count)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	own, second, third := hash(template, 0), hash(template, 1), hash(template, 2)
	for name, tt := range map[string]struct {
		known      []Known
		collisions int32
		want       string
	}{
		"there is none yet":                       {nil, 0, own},
		"it is there":                             {[]Known{{Hash: own}, {Hash: hash(other, 0)}}, 0, own},
		"a name was taken":                        {nil, 1, second},
		"a name was taken after it was made":      {[]Known{{Hash: own}}, 1, own},
		"it was made after a name was taken":      {[]Known{{Hash: second}}, 2, second},
		"it was adopted":                          {[]Known{{Hash: "abc", Identity: own}, {Hash: second}}, 1, "abc"},
		"it was adopted twice":                    {[]Known{{Hash: "abc", Identity: own, Number: 1}, {Hash: "bcd", Identity: own, Number: 2}}, 0, "bcd"},
		"it was adopted twice under one number":   {[]Known{{Hash: "bcd", Identity: own}, {Hash: "abc", Identity: own}}, 0, "abc"},
		"another template was adopted":            {[]Known{{Hash: "abc", Identity: hash(other, 0)}}, 0, own},
		"another template was adopted as its own": {[]Known{{Hash: own, Identity: hash(other, 0)}}, 0, second},
		"and so was the next":                     {[]Known{{Hash: own, Identity: "x"}, {Hash: second, Identity: "y"}}, 1, third},
	} {
		got, identity, err := Target([]byte(template), tt.known, tt.collisions)
		if got != tt.want || identity != own || err != nil {
			t.Errorf("%s: %s of identity %s, %v; want %s of %s", name, got, identity, err, tt.want, own)
		}
	}
	if _, _, err := Target([]byte("[]"), nil, 0); err == nil {
		t.Error("a list is taken for a template")
	}
}
