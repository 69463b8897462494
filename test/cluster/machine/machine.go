// Package machine checks that this machine can run a cluster, and installs the
// programs it lacks from Debian's packages.
package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/test/cluster/progress"
)

// Tools are the programs of the machine that a cluster runs on.
type Tools struct {
	// Containerd is containerd's path.
	Containerd string
	// CNIBinDir is the folder with the CNI plug-ins.
	CNIBinDir string
}

// SearchPath is where programs are looked for, here and by the components. The
// sbin folders are not in everybody's PATH, but iptables is there.
const SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// need is a program and the Debian package that has it. What counts is the
// program: on a machine with Docker, containerd comes from another package.
type need struct{ program, pkg string }

func needs() []need {
	return []need{
		{"containerd", "containerd"},
		{"containerd-shim-runc-v2", "containerd"},
		{"ctr", "containerd"},
		{"runc", "runc"},
		{"iptables", "iptables"},
		{"conntrack", "conntrack"},
		{"ip", "iproute2"},
	}
}

// cniPackage has the CNI plug-ins, which are in no search path.
const cniPackage = "containernetworking-plugins"

// Check reports everything that stands in the way of a cluster and cannot be
// installed.
func Check() error {
	var errs []error
	if runtime.GOOS != "linux" {
		errs = append(errs, fmt.Errorf("a cluster runs on Linux, and this is %s; use a virtual machine", runtime.GOOS))
	}
	if os.Geteuid() != 0 {
		errs = append(errs, errors.New("a cluster needs root, to make namespaces and containers; run this with sudo"))
	}
	if _, err := os.Stat("/sys/fs/cgroup"); err != nil {
		errs = append(errs, fmt.Errorf("control groups are not mounted: %w; mount them below /sys/fs/cgroup", err))
	}
	return errors.Join(errs...)
}

// Prepare installs what is missing and tells where the tools are.
func Prepare(ctx context.Context, report *progress.Reporter) (Tools, error) {
	missing := missingPackages()
	if len(missing) > 0 {
		if err := install(ctx, report, missing); err != nil {
			return Tools{}, err
		}
	}
	if missing = missingPackages(); len(missing) > 0 {
		return Tools{}, fmt.Errorf("still missing after the installation: what Debian has in %s", strings.Join(missing, ", "))
	}
	return Tools{Containerd: find("containerd"), CNIBinDir: findCNI()}, nil
}

// missingPackages lists the packages that have what the machine lacks.
func missingPackages() []string {
	var missing []string
	for _, n := range needs() {
		if find(n.program) == "" {
			missing = append(missing, n.pkg)
		}
	}
	if findCNI() == "" {
		missing = append(missing, cniPackage)
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// find gives a program's path, or nothing.
func find(program string) string {
	for _, dir := range filepath.SplitList(SearchPath) {
		path := filepath.Join(dir, program)
		if isProgram(path) {
			return path
		}
	}
	return ""
}

// findCNI gives the folder that has all the CNI plug-ins a cluster uses: Debian
// has them in the first, the plug-ins' own releases go to the second.
func findCNI() string {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		complete := true
		for _, plugin := range []string{"ptp", "host-local", "loopback"} {
			complete = complete && isProgram(filepath.Join(dir, plugin))
		}
		if complete {
			return dir
		}
	}
	return ""
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// install installs Debian packages.
func install(ctx context.Context, report *progress.Reporter, packages []string) error {
	names := strings.Join(packages, " ")
	if find("apt-get") == "" {
		return fmt.Errorf("this machine lacks what Debian has in the packages %s, and has no apt-get; install them by hand", names)
	}
	report.Say("install Debian packages: %s", names)
	if err := aptGet(ctx, report, "update"); err != nil {
		return err
	}
	return aptGet(ctx, report, append([]string{"install", "--yes", "--no-install-recommends"}, packages...)...)
}

// aptGet runs apt-get without questions, and shows what it said only when it
// fails.
func aptGet(ctx context.Context, report *progress.Reporter, args ...string) error {
	stop := report.While(func() string { return "apt-get " + args[0] })
	defer stop()
	cmd := exec.CommandContext(ctx, find("apt-get"), args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "PATH="+SearchPath)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
