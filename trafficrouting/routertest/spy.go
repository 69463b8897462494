package routertest

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// spy is a client that a World listens in on: it counts the writes of a router, and gets in its way.
type spy struct {
	beforeWrite func(context.Context)
	fail        error
	writes      int
}

// listen gives a client whose requests go through the spy.
func (s *spy) listen(c client.WithWatch) client.Client {
	return interceptor.NewClient(c, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption,
		) error {
			if s.fail != nil {
				return s.fail
			}
			return c.Get(ctx, key, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption,
		) error {
			return s.write(ctx, func() error { return c.Patch(ctx, o, p, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return s.write(ctx, func() error { return c.Update(ctx, o, opts...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return s.write(ctx, func() error { return c.Create(ctx, o, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return s.write(ctx, func() error { return c.Delete(ctx, o, opts...) })
		},
	})
}

// write is one write of the router.
func (s *spy) write(ctx context.Context, request func() error) error {
	s.writes++
	if s.fail != nil {
		return s.fail
	}
	if before := s.beforeWrite; before != nil {
		s.beforeWrite = nil
		before(ctx)
	}
	return request()
}

// BeforeWrite has a function called once, before the next write of the router.
func (s *spy) BeforeWrite(call func(context.Context)) { s.beforeWrite = call }

// Fail makes the requests of the router fail.
func (s *spy) Fail(err error) { s.fail = err }

// Writes is the number of writes of the router.
func (s *spy) Writes() int { return s.writes }
