package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Client speaks to the server in somebody's name. It reads the truth.
type Client struct {
	server *Server
	write  Write
	// around is called with every write, and carries it out; nil carries it out at once.
	around func(what request, commit func() error) error
	// asked is called with every read; nil for nothing.
	asked func()
}

// request is a write that is about to be made.
type request struct {
	verb Verb
	kind schema.GroupVersionKind
	key  types.NamespacedName
}

// String is "update Service web".
func (r request) String() string { return fmt.Sprintf("%s %s %s", r.verb, r.kind.Kind, r.key.Name) }

var _ client.Client = (*Client)(nil)

// errNotServed is the answer to what the controller has no need of.
var errNotServed = errors.New("this is not served in the simulation")

func (c *Client) do(r request, commit func() error) error {
	if c.around == nil {
		return commit()
	}
	return c.around(r, commit)
}

func (c *Client) ask() {
	if c.asked != nil {
		c.asked()
	}
}

// Get implements client.Reader.
func (c *Client) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	c.ask()
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	found := c.server.table(gvk).objects[key]
	if found == nil {
		return notFound(gvk, key)
	}
	return present(found, obj, gvk)
}

// List implements client.Reader.
func (c *Client) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	c.ask()
	gvk, options, err := listing(c.server.kit, list, opts)
	if err != nil {
		return err
	}
	return fill(c.server.kit, list, gvk, c.server.table(gvk).list(options.Namespace), options)
}

// listing reads the options of a list.
func listing(kit *Kit, list client.ObjectList, opts []client.ListOption) (schema.GroupVersionKind, client.ListOptions, error) {
	options := client.ListOptions{}
	options.ApplyOptions(opts)
	gvk, err := apiutil.GVKForObject(list, kit.scheme)
	if err != nil {
		return gvk, options, err
	}
	gvk.Kind = gvk.Kind[:len(gvk.Kind)-len("List")]
	return gvk, options, nil
}

// fill puts those objects into a list that its options select.
func fill(kit *Kit, list client.ObjectList, gvk schema.GroupVersionKind, all []client.Object, options client.ListOptions) error {
	var items []runtime.Object
	for _, obj := range all {
		matches, err := kit.selects(gvk, obj, options)
		if err != nil {
			return err
		}
		if !matches {
			continue
		}
		item, err := kit.itemFor(list, gvk, obj)
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	if loose, ok := list.(*unstructured.UnstructuredList); ok {
		loose.Items = nil
		for _, item := range items {
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(item)
			if err != nil {
				return err
			}
			loose.Items = append(loose.Items, unstructured.Unstructured{Object: content})
		}
		return nil
	}
	return meta.SetList(list, items)
}

// itemFor is an object in the form that a list holds.
func (k *Kit) itemFor(list client.ObjectList, gvk schema.GroupVersionKind, obj client.Object) (runtime.Object, error) {
	if _, metadata := list.(*metav1.PartialObjectMetadataList); metadata {
		out := &metav1.PartialObjectMetadata{}
		return out, present(obj, out, gvk)
	}
	_, isLoose := obj.(*unstructured.Unstructured)
	if _, loose := list.(*unstructured.UnstructuredList); loose || !isLoose {
		return obj.DeepCopyObject(), nil
	}
	made, err := k.scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	out, ok := made.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object", made)
	}
	return out, present(obj, out, gvk)
}

// selects says whether an object is among those that a list asks for.
func (k *Kit) selects(gvk schema.GroupVersionKind, obj client.Object, options client.ListOptions) (bool, error) {
	if options.LabelSelector != nil && !options.LabelSelector.Matches(labelsOf(obj)) {
		return false, nil
	}
	if options.FieldSelector == nil {
		return true, nil
	}
	for _, r := range options.FieldSelector.Requirements() {
		values, ok := k.indexes[gvk][r.Field]
		if !ok {
			return false, fmt.Errorf("there is no index %q of %s", r.Field, gvk.Kind)
		}
		if !slices.Contains(values(obj), r.Value) {
			return false, nil
		}
	}
	return true, nil
}

// Create implements client.Writer.
func (c *Client) Create(_ context.Context, obj client.Object, opts ...client.CreateOption) error {
	options := client.CreateOptions{}
	options.ApplyOptions(opts)
	gvk, made, err := c.server.kit.stored(obj)
	if err != nil {
		return err
	}
	if len(options.DryRun) > 0 {
		c.ask()
		return nil // nothing is defaulted here
	}
	w := c.write
	w.Manager = options.FieldManager
	return c.do(request{VerbCreate, gvk, client.ObjectKeyFromObject(obj)}, func() error {
		if err := c.server.create(w, gvk, made); err != nil {
			return err
		}
		return present(made, obj, gvk)
	})
}

// Update implements client.Writer.
func (c *Client) Update(_ context.Context, obj client.Object, opts ...client.UpdateOption) error {
	options := client.UpdateOptions{}
	options.ApplyOptions(opts)
	w := c.write
	w.Verb, w.Manager = VerbUpdate, options.FieldManager
	return c.update(w, obj)
}

func (c *Client) update(w Write, obj client.Object) error {
	gvk, changed, err := c.server.kit.stored(obj)
	if err != nil {
		return err
	}
	w.Conditional = obj.GetResourceVersion() != ""
	return c.do(request{w.Verb, gvk, client.ObjectKeyFromObject(obj)}, func() error {
		out, err := c.server.replace(w, gvk, changed)
		if err != nil {
			return err
		}
		return present(out, obj, gvk)
	})
}

// Patch implements client.Writer.
func (c *Client) Patch(_ context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	options := client.PatchOptions{}
	options.ApplyOptions(opts)
	w := c.write
	w.Verb, w.Manager = VerbUpdate, options.FieldManager
	return c.patch(w, obj, patch)
}

func (c *Client) patch(w Write, obj client.Object, patch client.Patch) error {
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(obj)
	return c.do(request{w.Verb, gvk, key}, func() error {
		before := c.server.table(gvk).objects[key]
		if before == nil {
			return notFound(gvk, key)
		}
		changed, conditional, err := patched(before, patch.Type(), data)
		if err != nil {
			return err
		}
		w.Conditional = conditional
		out, err := c.server.replace(w, gvk, changed)
		if err != nil {
			return err
		}
		return present(out, obj, gvk)
	})
}

// Delete implements client.Writer.
func (c *Client) Delete(_ context.Context, obj client.Object, opts ...client.DeleteOption) error {
	options := client.DeleteOptions{}
	options.ApplyOptions(opts)
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(obj)
	return c.do(request{VerbDelete, gvk, key}, func() error { return c.server.remove(c.write, gvk, key, options) })
}

// Apply implements client.Writer.
func (c *Client) Apply(context.Context, runtime.ApplyConfiguration, ...client.ApplyOption) error {
	return errNotServed
}

// DeleteAllOf implements client.Writer.
func (c *Client) DeleteAllOf(context.Context, client.Object, ...client.DeleteAllOfOption) error {
	return errNotServed
}

// Status implements client.StatusClient.
func (c *Client) Status() client.SubResourceWriter { return &statusClient{client: c} }

// SubResource implements client.SubResourceClientConstructor; only the status is served.
func (c *Client) SubResource(name string) client.SubResourceClient {
	return &statusClient{client: c, other: name != "status"}
}

// Scheme implements client.Client.
func (c *Client) Scheme() *runtime.Scheme { return c.server.kit.scheme }

// RESTMapper implements client.Client; nobody asks for one.
func (c *Client) RESTMapper() meta.RESTMapper { return meta.NewDefaultRESTMapper(nil) }

// GroupVersionKindFor implements client.Client.
func (c *Client) GroupVersionKindFor(obj runtime.Object) (schema.GroupVersionKind, error) {
	if loose, ok := obj.(*unstructured.Unstructured); ok {
		return loose.GroupVersionKind(), nil
	}
	return apiutil.GVKForObject(obj, c.server.kit.scheme)
}

// IsObjectNamespaced implements client.Client.
func (c *Client) IsObjectNamespaced(runtime.Object) (bool, error) { return true, nil }

// statusClient writes the status and nothing else.
type statusClient struct {
	client *Client
	other  bool
}

// Get implements client.SubResourceReader.
func (*statusClient) Get(context.Context, client.Object, client.Object, ...client.SubResourceGetOption) error {
	return errNotServed
}

// Create implements client.SubResourceWriter.
func (*statusClient) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return errNotServed
}

// Update implements client.SubResourceWriter.
func (s *statusClient) Update(_ context.Context, obj client.Object, _ ...client.SubResourceUpdateOption) error {
	if s.other {
		return errNotServed
	}
	w := s.client.write
	w.Verb = VerbStatus
	return s.client.update(w, obj)
}

// Patch implements client.SubResourceWriter.
func (s *statusClient) Patch(_ context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	if s.other {
		return errNotServed
	}
	options := client.SubResourcePatchOptions{}
	options.ApplyOptions(opts)
	w := s.client.write
	w.Verb, w.Manager = VerbStatus, options.FieldManager
	return s.client.patch(w, obj, patch)
}

// Apply implements client.SubResourceWriter.
func (*statusClient) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return errNotServed
}
