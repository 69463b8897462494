//go:build apiserver

package faults_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/apiserver/proxy"
)

// controllerVariable names the program that is installed: bin/sluice, which `make test-apiserver` builds.
const controllerVariable = "SLUICE"

// process is the controller as it is installed, in a process of its own.
type process struct {
	w       *live.World
	command *exec.Cmd
	log     string
	ended   chan struct{}
}

// launch starts a controller that acts only while it leads.
func launch(w *live.World, connection *rest.Config) *process {
	t := w.T
	t.Helper()
	program := os.Getenv(controllerVariable)
	if program == "" {
		t.Fatalf("%s is not set: run `make test-apiserver`, or set it to the path of bin/sluice", controllerVariable)
	}
	folder := t.TempDir()
	kubeconfig := filepath.Join(folder, "kubeconfig")
	must(t, env.WriteKubeconfig(connection, kubeconfig))
	p := &process{w: w, log: filepath.Join(folder, "log"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	must(t, err)
	//nolint:noctx // it is killed, and not told to end.
	p.command = exec.Command(program, "--kubeconfig="+kubeconfig, "--namespaces="+w.Namespace, "--leader-elect",
		"--leader-election-namespace="+w.Namespace, "--settle-time="+live.Settle.String(),
		"--metrics-bind-address=0", "--health-probe-bind-address=0")
	p.command.Stderr = log
	must(t, p.command.Start())
	go func() {
		_ = p.command.Wait() // the log says why
		_ = log.Close()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		if t.Failed() {
			t.Logf("the log of controller %d:\n%s", p.command.Process.Pid, p.said())
		}
	})
	return p
}

// signal sends a signal to exactly this process, if it is still there.
func (p *process) signal(signal os.Signal) { _ = p.command.Process.Signal(signal) }

// said is the end of the log.
func (p *process) said() string {
	data, err := os.ReadFile(p.log)
	must(p.w.T, err)
	return string(data[max(0, len(data)-2000):])
}

// ends waits until the process has ended by itself.
func (p *process) ends() {
	p.w.T.Helper()
	select {
	case <-p.ended:
	case <-time.After(live.Patience):
		p.w.T.Fatalf("the controller did not end within %s", live.Patience)
	}
}

// leader is who has the lease; empty when nobody has.
func leader(w *live.World) string {
	lease := &coordinationv1.Lease{}
	err := w.Client.Get(w.T.Context(), client.ObjectKey{Namespace: w.Namespace, Name: "sluice-controller"}, lease)
	must(w.T, client.IgnoreNotFound(err))
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// leads waits until somebody other than before has the lease, and says who.
func leads(w *live.World, before string) (now string) {
	w.T.Helper()
	w.Eventually("another leader", func() (bool, string) {
		now = leader(w)
		return now != "" && now != before, now
	})
	return now
}

// pair are two controllers, of which the first leads, behind a proxy of its own, while a release waits at its first step.
type pair struct {
	*live.World

	first, second *process
	proxy         *proxy.Proxy
	leader        string
}

func newPair(t testing.TB) *pair {
	t.Helper()
	w := world(t, env.Start(t))
	p := &pair{World: w, proxy: proxy.Start(t, w.Config)}
	p.first = launch(w, p.proxy.Config())
	p.leader = leads(w, "")
	p.second = launch(w, w.Config)
	atFirstStep(w)
	return p
}

// goesOn waits until another controller has the lease and has taken the release to its last step, and tells how long that
// took.
func (p *pair) goesOn(since time.Time) {
	p.T.Helper()
	leads(p.World, p.leader)
	p.T.Logf("after %.1f s another one leads", time.Since(since).Seconds())
	p.Reaches("the last step", atLastStep)
	p.T.Logf("after %.1f s it is at the last step", time.Since(since).Seconds())
}

// The leader is killed while it takes steps: the other one goes on where it was.
func TestTheLeaderIsKilled(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.Command(v1alpha1.ActionPromote)
	p.Reaches("the second step", func(s *v1alpha1.RolloutStatus) bool { return s.State.Step > 0 })
	killed := time.Now()
	p.first.signal(syscall.SIGKILL)
	p.goesOn(killed)
	p.Command(v1alpha1.ActionAbort)
	aborts(p.World)
	newTape(p.World).wantSafe()
}

// A leader is stopped in the middle of raising a weight, for longer than its lease. Meanwhile another one leads and has
// aborted the release. What the first had sent arrives then, and it wakes up and believes for a moment that it leads: it
// does no harm, and ends.
func TestAZombieDoesNoHarm(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	arrive := make(chan struct{})
	p.proxy.Inject(proxy.Fault{Verbs: []string{"patch"}, Resources: []string{"httproutes"}, Times: 1, Hold: arrive})
	p.Command(v1alpha1.ActionPromote)
	raising := func(r proxy.Request) bool { return r.Resource == "httproutes" && r.Verb == "patch" }
	weights := len(p.proxy.Requests(raising))
	p.Eventually("a weight on its way", func() (bool, string) {
		return len(p.proxy.Requests(raising)) > weights, "none"
	})
	stopped := time.Now()
	p.first.signal(syscall.SIGSTOP)
	p.goesOn(stopped)
	p.Command(v1alpha1.ActionAbort)
	aborts(p.World)

	close(arrive)
	before := len(p.proxy.Requests(proxy.Request.Writes))
	p.first.signal(syscall.SIGCONT)
	p.first.ends()
	for _, wrote := range p.proxy.Requests(proxy.Request.Writes)[before:] {
		if wrote.Resource != "leases" && wrote.Resource != "events" { // leader election tells of itself
			t.Errorf("awake, it wrote %s", wrote)
		}
	}
	if said := p.first.said(); !strings.Contains(said, "leader election lost") {
		t.Errorf("it ended and said %s", said)
	}
	aborts(p.World)
	newTape(p.World).wantSafe()
}

// Somebody takes the lease, in the middle of a step: the controller that led ends, and the other one waits until the lease
// of the thief is over.
func TestTheLeaseIsStolen(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.Command(v1alpha1.ActionPromote)
	stolen := time.Now()
	live.Alter(p.World, "sluice-controller", &coordinationv1.Lease{}, func(lease *coordinationv1.Lease) {
		lease.Spec.HolderIdentity = ptr.To("thief")
		lease.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()}
	})
	p.leader = "thief"
	p.first.ends()
	t.Logf("after %.1f s the one that had led has ended", time.Since(stolen).Seconds())
	p.goesOn(stolen)
	p.Command(v1alpha1.ActionAbort)
	aborts(p.World)
	newTape(p.World).wantSafe()
}

// The network of the leader carries nothing any more: it ends by itself, and what it had sent does no harm when it
// arrives.
func TestTheLeaderIsCutOff(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.Command(v1alpha1.ActionPromote)
	p.proxy.Part()
	parted := time.Now()
	p.first.ends()
	t.Logf("after %.1f s the one that had led has ended", time.Since(parted).Seconds())
	p.goesOn(parted)
	p.Command(v1alpha1.ActionAbort)
	aborts(p.World)
	p.proxy.Heal()
	elapse(storm / 4) // what was on its way arrives
	aborts(p.World)
	newTape(p.World).wantSafe()
}
