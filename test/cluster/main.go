// Command cluster runs a real Kubernetes, with a gateway and Prometheus, on a
// bare Debian machine. Everything but containerd is built from Go modules.
//
// The packages, from the outside in: verbs are the commands; lifecycle brings
// clusters up and down; component says how each process is run; build, machine
// and imagearchive provide what they run on; sandbox, cgroup, process, pki and
// forward are one mechanism each; layout knows every path and address.
package main

import (
	"os"

	"github.com/sluice-dev/sluice/test/cluster/verbs"
)

func main() {
	os.Exit(verbs.Run(os.Args[1:]))
}
