package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example.com/signals/inspector"
)

// file writes a file and returns its name.
func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecretsComeFromFilesAndTheEnvironment(t *testing.T) {
	bearer := inspector.Authorize(func(r *http.Request) inspector.Access {
		if r.Header.Get("Authorization") == "Bearer s3cret" && r.Header.Get("X-Team") != "wrong" {
			return inspector.View
		}
		return inspector.Denied
	})
	url := serve(t, quietBus(), bearer)
	token, headers := file(t, "token", []byte("s3cret\n")), file(t, "headers", []byte("Authorization: Bearer s3cret\nX-Team: shop\n\n"))
	for name, args := range map[string][]string{"--token-file": {"-token-file", token}, "--header @FILE": {"-H", "@" + headers}} {
		if r := command(t, append([]string{"doctor", "-wait", "0s", url}, args...)...); r.code != exitOK {
			t.Errorf("%s: %+v", name, r)
		}
	}
	failsWith(t, []string{"doctor", url}, "refused (403)", "--token-file", tokenVariable)
	failsWith(t, []string{"doctor", "-token-file", filepath.Join(t.TempDir(), "none"), url}, "--token-file", "none")
	failsWith(t, []string{"doctor", "-token-file", headers, url}, "want one line")
	bad := file(t, "bad", []byte("s3cret without a name"))
	if line := failsWith(t, []string{"doctor", "-H", "@" + bad, url}, "Name: value"); strings.Contains(line, "s3cret") {
		t.Errorf("the secret is repeated: %s", line)
	}

	t.Run("environment", func(t *testing.T) {
		t.Setenv(tokenVariable, "s3cret")
		if r := command(t, "doctor", "-wait", "0s", url); r.code != exitOK {
			t.Errorf("%s: %+v", tokenVariable, r)
		}
		failsWith(t, []string{"doctor", "-H", "Authorization: Bearer other", url}, "refused (403)") // a flag counts more
		t.Setenv(headerVariable, "X-Team: wrong\nX-Other: 1")
		failsWith(t, []string{"doctor", url}, "refused (403)")
		if r := command(t, "doctor", "-wait", "0s", "-H", "X-Team: shop", url); r.code != exitOK {
			t.Errorf("%s beside a flag: %+v", headerVariable, r)
		}
	})
}

func TestCertificates(t *testing.T) {
	insp := inspector.New(quietBus())
	server := httptest.NewUnstartedServer(insp)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Cleanup(insp.Close)
	ca := file(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	failsWith(t, []string{"doctor", server.URL}, "certificate is not trusted", "--cacert", "--insecure")
	for _, args := range [][]string{{"-cacert", ca}, {"-insecure"}, {"-k"}} {
		if r := command(t, append([]string{"doctor", "-wait", "0s", server.URL}, args...)...); r.code != exitOK {
			t.Errorf("%q: %+v", args, r)
		}
	}
	empty := file(t, "empty.pem", nil)
	failsWith(t, []string{"doctor", "-cacert", empty, server.URL}, "there is no certificate in it")
	failsWith(t, []string{"doctor", "-cacert", empty + ".none", server.URL}, "empty.pem.none")
	failsWith(t, []string{"doctor", "-cert", ca, server.URL}, "--cert and --key", "both")
	failsWith(t, []string{"doctor", "-cert", ca, "-key", empty, server.URL}, "--cert", "empty.pem")
	failsWith(t, []string{"doctor", "-k", "http://localhost:1/"}, "https")
}

func TestAClientCertificateIsShown(t *testing.T) {
	insp := inspector.New(quietBus())
	server := httptest.NewUnstartedServer(insp)
	server.StartTLS() // for its certificate, which serves the client too
	pair := server.TLS.Certificates[0]
	server.Close()
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := file(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	keyFile := file(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))

	server = httptest.NewUnstartedServer(insp)
	server.Config.ErrorLog = quiet
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Cleanup(insp.Close)
	failsWith(t, []string{"doctor", "-k", server.URL})
	if r := command(t, "doctor", "-wait", "0s", "-k", "-cert", cert, "-key", keyFile, server.URL); r.code != exitOK {
		t.Errorf("%+v", r)
	}
}

func TestAUnixSocket(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Unix sockets are not looked for there")
	}
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // short: a socket's name has at most about 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "shop.sock")
	failsWith(t, []string{"doctor", "unix:" + socket}, "nothing listens at the socket "+socket)
	failsWith(t, []string{"doctor", "unix:"}, "unix:/run/shop.sock:/debug/signals/")
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	insp := inspector.New(quietBus())
	mux := http.NewServeMux()
	mux.Handle("/debug/signals/", http.StripPrefix("/debug/signals", insp))
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	t.Cleanup(insp.Close)
	for _, address := range []string{"unix:" + socket + ":/debug/signals/", "unix:" + socket + ":/debug/signals", "unix://" + socket + ":/debug/signals/"} {
		if r := command(t, "doctor", "-wait", "0s", address); r.code != exitOK {
			t.Errorf("%s: %+v", address, r)
		}
	}
	failsWith(t, []string{"doctor", "unix:" + socket}, "unix:"+socket+":/", "there is no inspector")
}
