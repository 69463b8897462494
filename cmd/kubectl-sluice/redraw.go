package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
	"github.com/sluice-dev/sluice/controller/command"
)

const (
	// gatherDelay is how long changes are gathered before what is shown is read again. A release changes pods, ReplicaSets
	// and the Rollout in bursts.
	gatherDelay = 250 * time.Millisecond
	// redrawInterval is how often a picture on a terminal is drawn again so that its ages go on.
	redrawInterval = time.Second
)

// picture is what was read, as text: as old as it is at a time, and for a terminal of so many characters; 0 is not known.
type picture func(now time.Time, width int) string

// moving is a picture that changes.
type moving struct {
	// draw reads what is shown.
	draw func(context.Context) (picture, error)
	// kinds of objects that are in the picture.
	kinds []watched
	// gone is the error for what was there a moment ago.
	gone func() error
}

// watchPicture shows a picture again and again, until it is interrupted or what it shows is gone.
func (e *environment) watchPicture(ctx context.Context, c client.WithWatch, m moving) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := e.watchAll(ctx, c, m.kinds)
	if err != nil {
		return err
	}
	ticker := e.clock.NewTicker(redrawInterval)
	defer ticker.Stop()
	view := pictureView{environment: e}
	for {
		drawn, err := e.drawPatiently(ctx, m, &view)
		if err != nil {
			return err
		}
		if err := view.show(drawn); err != nil {
			return err
		}
		if err := view.age(ctx, changes, ticker.C()); err != nil {
			return err
		}
	}
}

// drawPatiently reads a picture, from an API server that may not answer for a while. The last one stays where it is, with
// what is wrong below it.
func (e *environment) drawPatiently(ctx context.Context, m moving, view *pictureView) (picture, error) {
	for warned := ""; ; {
		drawn, err := m.draw(ctx)
		switch {
		case err == nil:
			return drawn, nil
		case apierrors.IsNotFound(err):
			return nil, m.gone()
		case command.Permanent(err):
			return nil, err
		}
		if err.Error() != warned {
			warned = err.Error()
			e.warnOfRetry(err)
			view.frame = render.Frame{}
		}
		if err := e.sleep(ctx, rewatchDelay); err != nil {
			return nil, err
		}
	}
}

// pictureView shows pictures one after another: in the same place of a terminal, and below each other elsewhere.
type pictureView struct {
	*environment
	last  picture
	frame render.Frame
	// shown is the last picture without its ages.
	shown string
}

// show shows a picture. Where there is no place to redraw, one that looks like the one before but for its ages is not
// shown.
func (v *pictureView) show(p picture) error {
	v.last = p
	if v.screen.terminal {
		return v.redraw()
	}
	content := p(time.Time{}, 0)
	if content == v.shown {
		return nil
	}
	text := p(v.clock.Now(), 0)
	if v.shown != "" {
		text = "\n" + text
	}
	v.shown = content
	_, err := fmt.Fprint(v.Out, text)
	return err
}

// age lets the ages of a picture go on until something has changed, and a little longer, so that what changes together is
// shown together.
func (v *pictureView) age(ctx context.Context, changes <-chan struct{}, ticks <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changes:
			return v.sleep(ctx, gatherDelay)
		case <-ticks:
			if err := v.redraw(); err != nil {
				return err
			}
		}
	}
}

// redraw draws the last picture again, as old as it is now.
func (v *pictureView) redraw() error {
	if !v.screen.terminal {
		return nil
	}
	width, height := v.screen.size()
	_, err := fmt.Fprint(v.Out, v.frame.Next(v.last(v.clock.Now(), width), width, height))
	return err
}
