package verbs

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/test/cluster/imagearchive"
)

func newImage() *cobra.Command {
	var (
		options         imagearchive.Options
		reference, path string
		oci             bool
	)
	cmd := &cobra.Command{
		Use:   "image --binary PATH --name NAME:TAG --out FILE.tar",
		Short: "Make a container image of one static program",
		Long: `Make a container image of one static program, without a container engine.

The program becomes /NAME in an otherwise empty image and runs as nobody. Equal
programs give equal images. The archive is for "cluster load", "docker load" and
"kind load image-archive".`,
		Example: `  CGO_ENABLED=0 go build -o /tmp/app ./cmd/app
  cluster image --binary /tmp/app --name sluice.local/app:v1 --out /tmp/app.tar
  cluster load /tmp/app.tar`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			image, err := imagearchive.Image(options)
			if err != nil {
				return err
			}
			write := imagearchive.WriteDocker
			if oci {
				write = imagearchive.WriteOCI
			}
			file, err := os.Create(path)
			if err != nil {
				return err
			}
			if err := errors.Join(write(file, reference, image), file.Close()); err != nil {
				// Half an archive would be taken for a whole one.
				return errors.Join(err, os.Remove(path))
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.Binary, "binary", "", "the program, a static Linux binary")
	flags.StringVar(&reference, "name", "", "the image's name and tag")
	flags.StringVar(&path, "out", "", "the archive to write")
	flags.StringVar(&options.Certificates, "certificates", "",
		"certificate authorities to put into the image, for a program that asks https servers")
	flags.BoolVar(&oci, "oci", false, "write an OCI image layout instead of a docker archive")
	for _, name := range []string{"binary", "name", "out"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // The flag is defined above.
		}
	}
	return cmd
}
