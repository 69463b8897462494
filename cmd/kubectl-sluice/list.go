package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
	"github.com/sluice-dev/sluice/controller/command"
)

// listing is what list shows, and how.
type listing struct {
	everywhere bool
	selector   string
	watch      bool
	wide       bool
	// show is nil for a table.
	show func(runtime.Object, io.Writer) error
}

func newList(e *environment) *cobra.Command {
	l := listing{}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List Rollouts",
		Example: `  kubectl sluice list -A
  kubectl sluice list -o wide --watch`,
		GroupID: groupSee,
		Args:    nothing,
	}
	o := newOutput(cmd)
	cmd.Flags().BoolVarP(&l.everywhere, "all-namespaces", "A", false, "List the Rollouts of every namespace.")
	cmd.Flags().StringVarP(&l.selector, "selector", "l", "", "List Rollouts with these labels, such as team=shop,tier!=test.")
	cmd.Flags().BoolVarP(&l.watch, "watch", "w", false, "Go on with a row for each change.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if l.show, err = o.printer(cmd); err != nil {
			return err
		}
		l.wide = o.isWide()
		selector, err := labels.Parse(l.selector)
		if err != nil {
			return usage(cmd, "--selector: %w", err)
		}
		return e.list(cmd.Context(), l, selector)
	}
	return cmd
}

func (e *environment) list(ctx context.Context, l listing, selector labels.Selector) error {
	// No name: explain has no Rollout to look for.
	t, err := e.target("")
	if err != nil {
		return err
	}
	if l.everywhere {
		t.key.Namespace = ""
	}
	scope := []client.ListOption{client.InNamespace(t.key.Namespace), client.MatchingLabelsSelector{Selector: selector}}
	if l.watch {
		return t.explain(ctx, e.watchList(ctx, t, l, scope))
	}
	list := l.newList()
	if err := t.client.List(ctx, list, scope...); err != nil {
		return t.explain(ctx, err)
	}
	if l.show != nil {
		return l.show(list, e.Out)
	}
	rollouts := list.(*v1alpha1.RolloutList).Items
	if len(rollouts) == 0 {
		fmt.Fprintln(e.ErrOut, l.none(t.key.Namespace))
		return nil
	}
	rows := [][]render.Cell{render.RolloutHeadings(l.columns())}
	for i := range rollouts {
		rows = append(rows, render.RolloutRow(&rollouts[i], l.columns(), e.clock.Now()))
	}
	table := render.Table{Palette: e.screen.palette}
	_, err = fmt.Fprint(e.Out, table.Rows(rows))
	return err
}

// newList is of typed objects for a table, and otherwise of objects as they are stored.
func (l listing) newList() client.ObjectList {
	if l.show != nil {
		return rolloutsAsStored()
	}
	return &v1alpha1.RolloutList{}
}

func (l listing) columns() render.Columns {
	return render.Columns{Namespace: l.everywhere, Wide: l.wide}
}

func (l listing) none(namespace string) string {
	switch {
	case l.selector != "":
		return "No Rollouts with these labels."
	case l.everywhere:
		return "No Rollouts in any namespace."
	default:
		return fmt.Sprintf("No Rollouts in namespace %q; -A lists those of every namespace.", namespace)
	}
}

// watchList writes each Rollout, and then each Rollout that changes, until it is interrupted.
func (e *environment) watchList(ctx context.Context, t target, l listing, scope []client.ListOption) error {
	written := map[types.UID]string{}
	table := render.Table{Palette: e.screen.palette}
	headings := [][]render.Cell{render.RolloutHeadings(l.columns())}
	write := func(object client.Object) error {
		// A watch that begins anew shows again what there is.
		if written[object.GetUID()] == object.GetResourceVersion() {
			return nil
		}
		written[object.GetUID()] = object.GetResourceVersion()
		if l.show != nil {
			return l.show(object, e.Out)
		}
		rows := append(headings, render.RolloutRow(object.(*v1alpha1.Rollout), l.columns(), e.clock.Now()))
		headings = nil
		_, err := fmt.Fprint(e.Out, table.Rows(rows))
		return err
	}
	for begun := false; ; begun = true {
		list := l.newList()
		w, err := listAndWatch(ctx, t.client, list, scope)
		switch {
		case err == nil:
			err = writeAll(ctx, list, w, write)
			w.Stop()
			if err != nil {
				return err
			}
		case !begun || command.Permanent(err):
			return err
		default:
			e.warnOfRetry(err)
		}
		if err := e.sleep(ctx, rewatchDelay); err != nil {
			return err
		}
	}
}

// listAndWatch opens a watch and lists second, so that no change can fall between the two.
func listAndWatch(ctx context.Context, c client.WithWatch, list client.ObjectList, scope []client.ListOption,
) (watch.Interface, error) {
	w, err := c.Watch(ctx, list, scope...)
	if err != nil {
		return nil, err
	}
	if err := c.List(ctx, list, scope...); err != nil {
		w.Stop()
		return nil, err
	}
	return w, nil
}

// writeAll writes the objects of a list, and then those that a watch reports as added or modified, until the watch ends.
func writeAll(ctx context.Context, list client.ObjectList, w watch.Interface, write func(client.Object) error) error {
	err := meta.EachListItem(list, func(o runtime.Object) error { return write(o.(client.Object)) })
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, open := <-w.ResultChan():
			if !open {
				return nil
			}
			if event.Type != watch.Added && event.Type != watch.Modified {
				continue
			}
			if err := write(event.Object.(client.Object)); err != nil {
				return err
			}
		}
	}
}
