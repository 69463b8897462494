package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/sluice-dev/sluice/test/cluster/component"
	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/process"
)

// Settings are what was decided when a cluster was made.
type Settings struct {
	component.Host
	// BootID is the boot of the machine that the cluster runs in.
	BootID string
}

// LoadSettings reads the settings of a cluster. Its second result is false when
// there is no cluster.
func LoadSettings(c layout.Cluster) (Settings, bool, error) {
	var s Settings
	data, err := os.ReadFile(c.Settings())
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, true, fmt.Errorf("%s: %w; take the cluster down and start it again", c.Settings(), err)
	}
	return s, true, nil
}

func (s Settings) save(c layout.Cluster) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.Settings(), append(data, '\n'), 0o644)
}

// newSettings decides what is free to be decided.
func newSettings(ctx context.Context, h component.Host) (Settings, error) {
	boot, err := process.BootID()
	if err != nil {
		return Settings{}, err
	}
	h.Ports, err = freePorts(ctx)
	return Settings{Host: h, BootID: boot}, err
}

// freePorts picks three ports that nobody listens on. All are held until the
// last is chosen, so that they differ.
func freePorts(ctx context.Context) (component.Ports, error) {
	var ports [3]int
	for i := range ports {
		var config net.ListenConfig
		l, err := config.Listen(ctx, "tcp", component.HostAddress(0))
		if err != nil {
			return component.Ports{}, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return component.Ports{APIServer: ports[0], Gateway: ports[1], Prometheus: ports[2]}, nil
}
