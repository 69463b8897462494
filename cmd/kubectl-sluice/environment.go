package main

import (
	"fmt"
	"os"

	"golang.org/x/term"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
	"github.com/sluice-dev/sluice/controller/command"
)

// environment is all that commands need of the world.
type environment struct {
	genericiooptions.IOStreams
	// flags are those of every kubectl command: where the cluster is, and who asks.
	flags *genericclioptions.ConfigFlags
	// connect makes a client from the flags.
	connect func() (client.WithWatch, error)
	// namespace is the one of the flags, or of the kubeconfig.
	namespace func() (string, error)
	clock     clock.WithTicker
	// newID makes ids of requests.
	newID  func() string
	screen screen
	// version of the program; empty when it was not built as a release.
	version string
}

// screen is what the output goes to.
type screen struct {
	// terminal says that a text can be drawn over.
	terminal bool
	palette  render.Palette
	// size of the terminal in characters; 0 when it is not known.
	size func() (width, height int)
}

// processEnvironment is the environment of a process that a person or a script started.
func processEnvironment() *environment {
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	flags := genericclioptions.NewConfigFlags(true).WithWarningPrinter(streams)
	return &environment{
		IOStreams: streams,
		flags:     flags,
		connect:   func() (client.WithWatch, error) { return connect(flags, streams) },
		namespace: func() (string, error) {
			namespace, _, err := flags.ToRawKubeConfigLoader().Namespace()
			return namespace, err
		},
		clock: clock.RealClock{},
		newID: func() string { return string(uuid.NewUUID()) },
		screen: screen{
			terminal: printers.IsTerminal(os.Stdout),
			palette:  render.Palette(printers.AllowsColorOutput(os.Stdout)),
			size:     sizeOf(os.Stdout),
		},
		version: programVersion(),
	}
}

func sizeOf(file *os.File) func() (width, height int) {
	return func() (int, int) {
		width, height, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0, 0
		}
		return width, height
	}
}

func connect(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) (client.WithWatch, error) {
	config, err := flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	// A person waits: what is asked for in one go, as by a tree that is drawn anew, is not held back.
	config.QPS, config.Burst = 50, 100
	config.WarningHandlerWithContext = nil
	config.WarningHandler = rest.NewWarningWriter(streams.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}

// newScheme knows the types that commands read and write.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme, autoscalingv2.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register types: %w", err)
		}
	}
	return scheme, nil
}

// target is one Rollout on a cluster.
type target struct {
	client client.WithWatch
	key    client.ObjectKey
}

// target connects to the cluster where the Rollout with a name is, or is not.
func (e *environment) target(name string) (target, error) {
	c, err := e.connect()
	if err != nil {
		return target{}, err
	}
	namespace, err := e.namespace()
	if err != nil {
		return target{}, err
	}
	return target{client: c, key: client.ObjectKey{Namespace: namespace, Name: name}}, nil
}

func (e *environment) follower(t target) command.Follower {
	return command.Follower{Client: t.client, Clock: e.clock}
}
