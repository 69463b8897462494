package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// The Gateway API's resource definitions come from its Go module. The module is
// not required by this one, as no code of it is used, so its digest is here
// instead of in go.sum.
const (
	gatewayAPIModule = "sigs.k8s.io/gateway-api@v1.6.3"
	gatewayAPISum    = "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc="
)

// GatewayAPIDir is the folder below BinDir with the definitions of the standard
// channel.
const GatewayAPIDir = "gateway-api"

// GatewayAPI fetches the Gateway API's resource definitions.
func (b Builder) GatewayAPI(ctx context.Context) error {
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if b.current(GatewayAPIDir, gatewayAPISum) {
		return nil
	}
	b.Report.Say("fetch %s", gatewayAPIModule)
	dir, err := downloadModule(ctx, gatewayAPIModule, gatewayAPISum)
	if err != nil {
		return err
	}
	to := filepath.Join(b.BinDir, GatewayAPIDir)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := copyDefinitions(filepath.Join(dir, "config", "crd", "standard"), "*.yaml", to); err != nil {
		return err
	}
	return os.WriteFile(b.stampFile(GatewayAPIDir), []byte(gatewayAPISum), 0o644)
}

// copyDefinitions copies the files of a folder whose names match a pattern. The
// module cache is read-only and may be cleaned at any time.
func copyDefinitions(from, pattern, to string) error {
	files, err := filepath.Glob(filepath.Join(from, pattern))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("there are no resource definitions in %s", from)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(file)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// downloadModule has a module in the module cache and gives its folder.
func downloadModule(ctx context.Context, module, sum string) (string, error) {
	var stderr bytes.Buffer
	cmd := goCommand(ctx, "mod", "download", "-json", module)
	cmd.Dir = os.TempDir() // Outside of any module, whose go.sum would be consulted.
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if e := json.Unmarshal(out, &got); e != nil {
		return "", fmt.Errorf("download %s: %w: %s", module, err, &stderr)
	}
	if err != nil {
		return "", fmt.Errorf("download %s: %s", module, got.Error)
	}
	if got.Sum != sum {
		return "", fmt.Errorf("download %s: its digest is %s instead of %s; do not use it", module, got.Sum, sum)
	}
	return got.Dir, nil
}
