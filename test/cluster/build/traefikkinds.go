package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	// TraefikKindsDir is the folder below BinDir with the definitions of Traefik's
	// own kinds.
	TraefikKindsDir = "traefik-kinds"

	traefikModule = "github.com/traefik/traefik/v3"
	// traefikKinds is where they are in Traefik's module.
	traefikKinds = "docs/content/reference/dynamic-configuration"
)

// TraefikKinds copies the definitions of Traefik's own kinds from the module that
// Traefik is built from, which is in the folder source.
func (b Builder) TraefikKinds(ctx context.Context, source string) error {
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	cmd := goCommand(ctx, "list", "-m", "-f", "{{.Version}} {{.Dir}}", traefikModule)
	cmd.Dir = filepath.Join(source, "traefik")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("find the source of %s: %w", traefikModule, err)
	}
	version, dir, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if b.current(TraefikKindsDir, version) {
		return nil
	}
	to := filepath.Join(b.BinDir, TraefikKindsDir)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := copyDefinitions(filepath.Join(dir, filepath.FromSlash(traefikKinds)), "traefik.io_*.yaml", to); err != nil {
		return err
	}
	return os.WriteFile(b.stampFile(TraefikKindsDir), []byte(version), 0o644)
}
