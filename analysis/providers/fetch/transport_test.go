package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// get asks once and reads the answer.
func get(t *testing.T, client *http.Client, address string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestGuardLooksAtTheAddress(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	client := Transport{}.Client()
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]",
		"2130706433", "0x7f000001", "0177.0.0.1", "127.1", // as some resolvers read them
	} {
		var refusal *Refusal
		var unknown *net.DNSError
		if _, err := get(t, client, "http://"+host+":"+port); !errors.As(err, &refusal) && !errors.As(err, &unknown) {
			t.Errorf("%s: got error %v, want a refusal, or that there is no such host", host, err)
		}
	}
	if asked.Load() > 0 {
		t.Errorf("the server was asked %d times", asked.Load())
	}
}

// TestRebinding has a name that leads to an address that may be asked, and the next time to one that may not.
func TestRebinding(t *testing.T) {
	var secret atomic.Bool
	allowed := listen(t, "127.0.0.2:0", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "figures")
	})
	listen(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), allowed.Port()).String(),
		func(http.ResponseWriter, *http.Request) { secret.Store(true) })
	client := Transport{
		Guard:    newGuard(t, Rules{AllowLocal: true, Hosts: []string{"127.0.0.2"}}),
		Resolver: names(t, "127.0.0.2", "127.0.0.3"),
	}.Client()
	address := "http://" + netip.AddrPortFrom(allowed.Addr(), allowed.Port()).String()
	address = strings.Replace(address, "127.0.0.2", "figures.example.com.", 1)
	if body, err := get(t, client, address); err != nil || body != "figures" {
		t.Fatalf("got %q and error %v, want the answer of the first address", body, err)
	}
	var refusal *Refusal
	if _, err := get(t, client, address); !errors.As(err, &refusal) || secret.Load() {
		t.Errorf("got error %v, asked %v; want a refusal before the second address is asked", err, secret.Load())
	}
}

// listen serves at an address until the test ends.
func listen(t *testing.T, address string, handler http.HandlerFunc) netip.AddrPort {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
	server.Start()
	t.Cleanup(server.Close)
	return netip.MustParseAddrPort(listener.Addr().String())
}

// names resolves each name to the first address, and later to the next one, and so on; the last one stays.
func names(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	server, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		question := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(question)
			if err != nil {
				return
			}
			answer, found := resolve(question[:n], netip.MustParseAddr(addresses[0]))
			if found && len(addresses) > 1 {
				addresses = addresses[1:]
			}
			_, _ = server.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// resolve answers a DNS question for an IPv4 address with one that lasts 0 seconds, and any other with none.
func resolve(question []byte, ip netip.Addr) (answer []byte, found bool) {
	const header, classAndType = 12, 4
	end := header + bytes.IndexByte(question[header:], 0) + 1 + classAndType
	found = question[end-3] == 1 // type A
	answer = append([]byte{}, question[:end]...)
	answer[2], answer[3] = 0x81, 0x80 // an answer, without an error
	copy(answer[6:header], make([]byte, 6))
	if found {
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, ip.AsSlice()...)
	}
	return answer, found
}

// TestNoProxy has a proxy in the environment, which would connect where nobody looks.
func TestNoProxy(t *testing.T) {
	transport, ok := Transport{}.Client().Transport.(bounded).next.(*http.Transport)
	if !ok || transport.Proxy != nil {
		t.Error("addresses of metrics are asked through a proxy")
	}
}

func TestBounds(t *testing.T) {
	tests := map[string]struct {
		handler http.HandlerFunc
		want    error // nil for any
	}{
		"redirect to the metadata of the machine": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusTemporaryRedirect)
		}, ErrRedirect},
		"a body without an end": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, ErrTooLarge},
		"a small body that unpacks to a huge one": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			packer := gzip.NewWriter(w)
			for range 100 {
				_, _ = packer.Write(make([]byte, 1<<20))
			}
			_ = packer.Close()
		}, ErrTooLarge},
		"a header without an end": {func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				w.Header().Add("X-Much", strings.Repeat("x", 1<<10))
			}
		}, nil},
	}
	client := Transport{Guard: Anywhere()}.Client()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			body, err := get(t, client, server.URL)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			if len(body) > MaxBody+1 {
				t.Errorf("read %d bytes, want at most one more than %d", len(body), MaxBody)
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	tests := map[string]string{
		"plain": "plain", "a\x1b[31m\nb": "a [31m b", "\xff\xfe": "\ufffd\ufffd", "ä" + strings.Repeat("x", 20): "äxxxxxxxx…",
		"xxxxxxxxxä": "xxxxxxxxx…",
	}
	for text, want := range tests {
		if got := Printable(text, 10); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
