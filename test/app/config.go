package main

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// Config is what the environment says.
type Config struct {
	// Version is what / answers, and a label of every metric. VERSION, default "dev".
	Version string
	// Pod is the name of the pod, for the body of an answer. HOSTNAME, as Kubernetes sets it.
	Pod string
	// Address is the serving port. ADDRESS, default ":8080".
	Address string
	// AdminAddress is the port of metrics and faults. ADMIN_ADDRESS, default ":9090".
	AdminAddress string
	// Fault is what goes wrong from the start. ERROR_RATE, from 0 to 1, ERRORS=scattered for errors that are drawn, LEAK in
	// bytes for each request, and LATENCY; default none.
	Fault Fault
	// Drain is how long the app goes on answering after SIGTERM; 0 ends it at once. DRAIN, default 5s.
	Drain time.Duration
}

// defaultDrain outlasts the second or two that a gateway takes to hear that a pod is ending.
const defaultDrain = 5 * time.Second

// configFrom reads the environment. An error names the variable and what to write.
func configFrom(getenv func(string) string) (Config, error) {
	config := Config{
		Version:      cmp.Or(getenv("VERSION"), "dev"),
		Pod:          getenv("HOSTNAME"),
		Address:      cmp.Or(getenv("ADDRESS"), ":8080"),
		AdminAddress: cmp.Or(getenv("ADMIN_ADDRESS"), ":9090"),
		Drain:        defaultDrain,
	}
	if s := getenv("ERROR_RATE"); s != "" {
		rate, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return config, fmt.Errorf("ERROR_RATE: %q is not a number: write one from 0 to 1", s)
		}
		config.Fault.ErrorRate = rate
	}
	switch s := getenv("ERRORS"); s {
	case "":
	case "scattered":
		config.Fault.Scattered = true
	default:
		return config, fmt.Errorf("ERRORS: %q is not known: write scattered, or leave it out for errors that are spread evenly", s)
	}
	if s := getenv("LEAK"); s != "" {
		leak, err := strconv.Atoi(s)
		if err != nil {
			return config, fmt.Errorf("LEAK: %q is not a number of bytes: write one such as 1048576", s)
		}
		config.Fault.Leak = leak
	}
	var err error
	if config.Fault.Latency, err = durationFrom(getenv, "LATENCY", 0); err != nil {
		return config, err
	}
	if config.Drain, err = durationFrom(getenv, "DRAIN", defaultDrain); err != nil {
		return config, err
	}
	if err := config.Fault.validate(); err != nil {
		return config, fmt.Errorf("ERROR_RATE, LEAK and LATENCY: %w", err)
	}
	return config, nil
}

func durationFrom(getenv func(string) string, name string, otherwise time.Duration) (time.Duration, error) {
	s := getenv(name)
	if s == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s: %q is not a duration: write one such as 50ms or 5s", name, s)
	}
	return d, nil
}
