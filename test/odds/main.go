// Command odds shows, on simulated releases, what odds package judge really has: of aborting a candidate that does no
// harm, and of finding one that does, and how soon. It runs what peers do on the same traffic beside it, prints one table,
// and fails when the odds are worse than they are said to be.
//
//	go run ./test/odds -rollouts 20000
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	var size effort
	flag.IntVar(&size.rollouts, "rollouts", 20000, "simulated releases per setting")
	flag.IntVar(&size.rivals, "rivals", 1000, "simulated releases per setting for what peers do, which takes longer")
	flag.Uint64Var(&size.seed, "seed", 1, "seed of the simulated traffic")
	flag.Parse()
	if misses := study(os.Stdout, size); len(misses) > 0 {
		fmt.Println()
		for _, miss := range misses {
			fmt.Println("MISSED:", miss)
		}
		os.Exit(1)
	}
}
