package verbs

import "github.com/spf13/cobra"

func newLoad() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "load ARCHIVE...",
		Short: "Import image archives, so that pods can run them",
		Long: `Import image archives, as "cluster image" or "docker save" write them, into the
cluster's containerd. Pods run them with imagePullPolicy IfNotPresent or Never.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, archives []string) error {
			m, _, err := t.work()
			if err != nil {
				return err
			}
			return m.LoadImages(cmd.Context(), archives...)
		},
	}
	t.addTo(cmd)
	return cmd
}
