package forward

import (
	"io"
	"net"
	"testing"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// A client may end its request before it reads the answer. The answer has to
// come through all the same.
func TestForwardKeepsTheAnswerAfterTheEndOfTheRequest(t *testing.T) {
	server, front := listen(t), listen(t)
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		request, err := io.ReadAll(conn)
		if err == nil {
			_, _ = conn.Write(append([]byte("answer to "), request...))
		}
	}()
	go func() { _ = accept(t.Context(), front, server.Addr().String()) }()

	client := dial(t, front.Addr().String())
	if _, err := client.Write([]byte("request")); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(client)
	if err != nil || string(got) != "answer to request" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestForwardEndsTheConnectionWhenNobodyListensInside(t *testing.T) {
	gone, front := listen(t), listen(t)
	address := gone.Addr().String()
	gone.Close()
	go func() { _ = accept(t.Context(), front, address) }()

	client := dial(t, front.Addr().String())
	if data, _ := io.ReadAll(client); len(data) != 0 {
		t.Errorf("read %q, want nothing", data)
	}
}
