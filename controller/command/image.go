package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// AllContainers, as the name of a container, stands for every container and init container.
const AllContainers = "*"

// Image says which image a container is to run.
type Image struct {
	// Container is the name of a container or an init container, or AllContainers.
	Container string
	// Image is the reference to run.
	Image string
}

// ImageChange is what SetImages did to one container.
type ImageChange struct {
	// Container is the name of the container.
	Container string
	// From and To are the images before and after; they are equal when there was nothing to change.
	From, To string
}

// SetImages sets images of containers, and nothing else: the patch holds one line per image, guarded by the name of the
// container at that place. It returns what it did, in the order of the template. A container that does not exist is an
// error that lists those that do.
func SetImages(ctx context.Context, c Client, key client.ObjectKey, images []Image) ([]ImageChange, error) {
	var changes []ImageChange
	attempt := func() error {
		return editTemplate(ctx, c, key, func(_, r *v1alpha1.Rollout) (client.Patch, error) {
			patch, planned, err := imagePatch(r, images)
			if err != nil {
				return nil, err
			}
			changes = planned
			if len(patch) == 0 {
				return nil, nil
			}
			return jsonPatch(patch)
		})
	}
	err := attempt()
	if isMovedContainer(err) {
		err = attempt()
	}
	if err != nil {
		return nil, err
	}
	return changes, nil
}

// WithImages sets images in the template of a Rollout that is not written back. It returns what SetImages would do, and fails
// as SetImages does.
func WithImages(r *v1alpha1.Rollout, images []Image) ([]ImageChange, error) {
	_, changes, err := imagePatch(r, images)
	if err != nil {
		return nil, err
	}
	var template map[string]any
	if err := utiljson.Unmarshal(r.Spec.Template.Raw, &template); err != nil {
		return nil, fmt.Errorf("rollout %q: spec.template is not a pod template: %w", r.Name, err)
	}
	spec, _ := template["spec"].(map[string]any)
	for _, c := range changes {
		setImage(spec["containers"], c)
		setImage(spec["initContainers"], c)
	}
	r.Spec.Template.Raw, err = json.Marshal(template)
	return changes, err
}

// setImage sets the image of a container in a list of containers, if it is there.
func setImage(list any, change ImageChange) {
	containers, _ := list.([]any)
	for _, entry := range containers {
		if c, is := entry.(map[string]any); is && c["name"] == change.Container {
			c["image"] = change.To
		}
	}
}

// isMovedContainer says whether a guard of the patch did not hold: someone edited the list of containers between the look
// and the patch. The API server answers 422 Invalid without a cause then; a refused object has causes.
func isMovedContainer(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || len(details.Causes) == 0
}

// operation is one line of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func jsonPatch(operations []operation) (client.Patch, error) {
	data, err := json.Marshal(operations)
	if err != nil {
		return nil, fmt.Errorf("patch: %w", err)
	}
	return client.RawPatch(types.JSONPatchType, data), nil
}

// container is as much of a container as an image needs.
type container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
	path  string
}

// Containers lists the names of the containers of a Rollout, and then those of its init containers.
func Containers(r *v1alpha1.Rollout) ([]string, error) {
	all, err := containers(r)
	if err != nil {
		return nil, err
	}
	return names(all), nil
}

func containers(r *v1alpha1.Rollout) ([]container, error) {
	var template struct {
		Spec struct {
			Containers     []container `json:"containers"`
			InitContainers []container `json:"initContainers"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(r.Spec.Template.Raw, &template); err != nil {
		return nil, fmt.Errorf("rollout %q: spec.template is not a pod template: %w", r.Name, err)
	}
	all := make([]container, 0, len(template.Spec.Containers)+len(template.Spec.InitContainers))
	for i, c := range template.Spec.Containers {
		c.path = fmt.Sprintf("/spec/template/spec/containers/%d", i)
		all = append(all, c)
	}
	for i, c := range template.Spec.InitContainers {
		c.path = fmt.Sprintf("/spec/template/spec/initContainers/%d", i)
		all = append(all, c)
	}
	return all, nil
}

// imagePatch is empty when every image is as asked already.
func imagePatch(r *v1alpha1.Rollout, images []Image) ([]operation, []ImageChange, error) {
	all, err := containers(r)
	if err != nil {
		return nil, nil, err
	}
	wanted, err := imagesByContainer(r, all, images)
	if err != nil {
		return nil, nil, err
	}
	var patch []operation
	var changes []ImageChange
	for _, c := range all {
		image, ok := wanted[c.Name]
		if !ok {
			continue
		}
		changes = append(changes, ImageChange{Container: c.Name, From: c.Image, To: image})
		if c.Image == image {
			continue
		}
		patch = append(patch,
			operation{Op: "test", Path: c.path + "/name", Value: c.Name},
			operation{Op: "add", Path: c.path + "/image", Value: image})
	}
	return patch, changes, nil
}

func imagesByContainer(r *v1alpha1.Rollout, all []container, images []Image) (map[string]string, error) {
	known := map[string]bool{}
	for _, c := range all {
		known[c.Name] = true
	}
	wanted := map[string]string{}
	for _, image := range images {
		switch {
		case image.Container == AllContainers:
			for name := range known {
				wanted[name] = image.Image
			}
		case known[image.Container]:
			wanted[image.Container] = image.Image
		default:
			return nil, refuse(fmt.Sprintf("rollout %q has no container %q", r.Name, image.Container),
				"it has %s", strings.Join(names(all), ", "))
		}
	}
	return wanted, nil
}

func names(all []container) []string {
	out := make([]string, 0, len(all))
	for _, c := range all {
		out = append(out, c.Name)
	}
	return out
}
