package proxy

import (
	"net"
	"sync"
)

// gate is a network that can stop to carry anything.
type gate struct {
	mu    sync.Mutex
	open  chan struct{} // closed while the network carries
	conns map[*conn]struct{}
}

func newGate() *gate {
	g := &gate{open: make(chan struct{}), conns: map[*conn]struct{}{}}
	close(g.open)
	return g
}

func (g *gate) part() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
		g.open = make(chan struct{})
	default:
	}
}

func (g *gate) heal() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

func (g *gate) breakAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		_ = c.Conn.Close() // broken is broken
	}
}

// wait waits until the network carries, or the connection ends.
func (g *gate) wait(c *conn) {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
	case <-c.closed:
	}
}

func (g *gate) listen(inner net.Listener) net.Listener { return &listener{Listener: inner, gate: g} }

type listener struct {
	net.Listener

	gate *gate
}

// Accept implements net.Listener. The other side takes a connection for open before anything is carried on it.
func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, gate: l.gate, closed: make(chan struct{})}
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	l.gate.conns[c] = struct{}{}
	return c, nil
}

// conn carries while the gate is open.
type conn struct {
	net.Conn

	gate   *gate
	once   sync.Once
	closed chan struct{}
}

// Read implements net.Conn. What has arrived is held back, too.
func (c *conn) Read(data []byte) (int, error) {
	n, err := c.Conn.Read(data)
	c.gate.wait(c)
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(data []byte) (int, error) {
	c.gate.wait(c)
	return c.Conn.Write(data)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.gate.mu.Lock()
		defer c.gate.mu.Unlock()
		delete(c.gate.conns, c)
	})
	return c.Conn.Close()
}
