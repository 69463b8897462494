package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases/sluice-controller"

// answers is a server that gives one answer to everything.
func answers(code int) http.RoundTripper {
	return transport(func(*http.Request) (*http.Response, error) {
		recorder := httptest.NewRecorder()
		recorder.WriteHeader(code)
		return recorder.Result(), nil
	})
}

func send(t *testing.T, through http.RoundTripper, method, path string) error {
	t.Helper()
	response, err := through.RoundTrip(httptest.NewRequestWithContext(t.Context(), method, path, nil))
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// A controller writes while its lease has been renewed within the deadline, and at no other time.
func TestFence(t *testing.T) {
	const rollout = "/apis/sluice.dev/v1alpha1/namespaces/default/rollouts/web/status"
	tests := map[string]struct {
		renewals    int // how many succeed before
		code        int
		method      string // of the request to the lease
		elapsed     time.Duration
		wantRefused bool
	}{
		"never led":          {wantRefused: true},
		"just renewed":       {renewals: 1, code: http.StatusOK, method: http.MethodPut},
		"made the lease":     {renewals: 1, code: http.StatusCreated, method: http.MethodPost},
		"renewed before":     {renewals: 1, code: http.StatusOK, method: http.MethodPut, elapsed: renewDeadline - time.Second},
		"stopped meanwhile":  {renewals: 1, code: http.StatusOK, method: http.MethodPut, elapsed: renewDeadline, wantRefused: true},
		"somebody else's":    {renewals: 1, code: http.StatusConflict, method: http.MethodPut, wantRefused: true},
		"only looked at it":  {renewals: 1, code: http.StatusOK, method: http.MethodGet, wantRefused: true},
		"the clock put back": {renewals: 1, code: http.StatusOK, method: http.MethodPut, elapsed: -10 * time.Minute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			passing := clocktesting.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			f := &fence{clock: passing}
			for range tt.renewals {
				if err := send(t, f.leases(answers(tt.code)), tt.method, leasePath); err != nil {
					t.Fatal(err)
				}
			}
			passing.SetTime(passing.Now().Add(tt.elapsed))
			through := f.writes(answers(http.StatusOK))
			if err := send(t, through, http.MethodPatch, rollout); (err != nil) != tt.wantRefused {
				t.Errorf("a write: %v, want refused %v", err, tt.wantRefused)
			}
			if err := send(t, through, http.MethodGet, rollout); err != nil {
				t.Errorf("a read: %v", err)
			}
		})
	}
}
