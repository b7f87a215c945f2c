// What Go's crypto/x509, by which API servers verify a webhook, makes of certificate chains.
//
//	crypto-x509 random SEED COUNT   chains of every kind, each with the verdict, a line of JSON each
//	crypto-x509 shapes NAME         certificates for a server of this name in the shapes that people have, as one JSON
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand"
	"os"
	"strconv"
	"time"
)

const server = "hook.codefresh.svc"

var now = time.Unix(1_800_000_000, 0)

type key struct {
	kind   string
	signer crypto.Signer
}

// One case.
type chain struct {
	What   string   `json:"what"`
	Chain  [][]byte `json:"chain"`
	Roots  [][]byte `json:"roots"`
	Server string   `json:"server"`
	At     int64    `json:"at"`
	Good   bool     `json:"good"`
	Error  string   `json:"error"`
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func curve(kind string, curve elliptic.Curve) key {
	return key{kind, must(ecdsa.GenerateKey(curve, rand.Reader))}
}

// The ways in which a key of this kind signs.
func algorithms(kind string) []x509.SignatureAlgorithm {
	switch kind {
	case "rsa":
		return []x509.SignatureAlgorithm{x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
			x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS}
	case "rsa-1024":
		return []x509.SignatureAlgorithm{x509.SHA256WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS}
	case "ed25519":
		return []x509.SignatureAlgorithm{x509.PureEd25519}
	default:
		return []x509.SignatureAlgorithm{x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512}
	}
}

// Chooses: the first most of the time, where that is what people have.
type dice struct{ *mathrand.Rand }

func (d dice) rare(n int) bool { return d.Intn(n) == 0 }

func (d dice) life(certificate *x509.Certificate) string {
	certificate.NotBefore, certificate.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
	if d.rare(14) {
		certificate.NotAfter = now.Add(-time.Minute)
		return " over"
	}
	if d.rare(18) {
		certificate.NotBefore = now.Add(time.Minute)
		return " early"
	}
	return ""
}

func sign(what string, template, parent *x509.Certificate, of, by key) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, of.signer.Public(), by.signer)
	if err != nil {
		fmt.Fprintln(os.Stderr, what, err)
		os.Exit(1)
	}
	return must(x509.ParseCertificate(der))
}

func (d dice) usage(certificate *x509.Certificate) string {
	switch d.Intn(9) {
	case 0:
		certificate.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		return " for clients"
	case 1:
		certificate.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		return " for anything"
	case 2, 3, 4:
		certificate.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	return ""
}

func (d dice) random(keys []key) chain {
	what := ""
	any := func() key { return keys[d.Intn(len(keys))] }
	var path []*x509.Certificate
	var parent *x509.Certificate
	var by key
	for place := range d.Intn(4) {
		of := any()
		ca := &x509.Certificate{SerialNumber: big.NewInt(int64(place + 1)), BasicConstraintsValid: !d.rare(12),
			Subject: pkix.Name{CommonName: fmt.Sprintf("CA %d", place)}}
		ca.IsCA = ca.BasicConstraintsValid && !d.rare(14)
		ca.KeyUsage = x509.KeyUsageCertSign
		what += fmt.Sprintf("%s CA(%v)", of.kind, ca.IsCA)
		if d.rare(8) {
			ca.KeyUsage = 0
			what += " any use"
		} else if d.rare(12) {
			ca.KeyUsage = x509.KeyUsageDigitalSignature
			what += " no signing"
		}
		if d.rare(14) && ca.IsCA {
			ca.PermittedDNSDomains = []string{"example"}
			what += " elsewhere"
		} else if d.rare(14) && ca.IsCA {
			ca.PermittedDNSDomains = []string{"svc"}
		}
		if d.rare(14) && ca.IsCA {
			ca.MaxPathLenZero = true
			what += " no CA below"
		}
		what += d.life(ca)
		if parent == nil {
			by, parent = of, ca
		}
		all := algorithms(by.kind)
		ca.SignatureAlgorithm = all[d.Intn(len(all))]
		what += " " + ca.SignatureAlgorithm.String() + ", "
		parent = sign(what, ca, parent, of, by)
		path = append([]*x509.Certificate{parent}, path...)
		by = of
	}
	of := any()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(99), Subject: pkix.Name{CommonName: "leaf"}}
	what += of.kind + " leaf" + d.life(leaf) + d.usage(leaf)
	switch d.Intn(10) {
	case 0:
		leaf.DNSNames = []string{"elsewhere.codefresh.svc"}
		what += " of another name"
	case 1:
		what += " of no name"
		leaf.Subject.CommonName = server
	case 2:
		leaf.DNSNames = []string{"*.codefresh.svc"}
		what += " of any name"
	default:
		leaf.DNSNames = []string{"hook", server}
	}
	if d.rare(4) {
		leaf.BasicConstraintsValid, leaf.IsCA = true, true
		what += " that is a CA"
		if d.rare(2) {
			leaf.KeyUsage = x509.KeyUsageCertSign
		}
	}
	if parent == nil {
		by, parent = of, leaf
		what += " by itself"
	}
	all := algorithms(by.kind)
	leaf.SignatureAlgorithm = all[d.Intn(len(all))]
	what += " " + leaf.SignatureAlgorithm.String()
	signed := sign(what, leaf, parent, of, by)

	var roots []*x509.Certificate
	trust := func(certificate *x509.Certificate, of string) {
		roots = append(roots, certificate)
		what += "; trusts " + of
	}
	if len(path) > 0 && !d.rare(8) {
		trust(path[len(path)-1], "the top")
	}
	if len(path) > 1 && d.rare(4) {
		trust(path[0], "the one above")
	}
	if len(path) == 0 && !d.rare(5) || d.rare(8) {
		trust(signed, "the leaf")
	}
	if d.rare(5) {
		// The same name, and another key.
		other := curve("p256", elliptic.P256())
		name := pkix.Name{CommonName: "CA 0"}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: name, IsCA: true, BasicConstraintsValid: true,
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
		trust(sign("other", template, template, other, other), "a namesake")
	}
	shown := []*x509.Certificate{signed}
	if len(path) > 1 && !d.rare(8) {
		shown = append(shown, path[:len(path)-1]...)
	}
	return judged(what, shown, roots)
}

func judged(what string, shown, roots []*x509.Certificate) chain {
	found := chain{What: what, Server: server, At: now.Unix(), Chain: [][]byte{}, Roots: [][]byte{}}
	trusted, others := x509.NewCertPool(), x509.NewCertPool()
	for _, root := range roots {
		trusted.AddCert(root)
		found.Roots = append(found.Roots, root.Raw)
	}
	for place, certificate := range shown {
		if place > 0 {
			others.AddCert(certificate)
		}
		found.Chain = append(found.Chain, certificate.Raw)
	}
	// As crypto/tls does it for a client.
	_, err := shown[0].Verify(x509.VerifyOptions{Roots: trusted, Intermediates: others, DNSName: server, CurrentTime: now})
	found.Good = err == nil
	if err != nil {
		found.Error = err.Error()
	}
	return found
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// Certificate, key and what to trust, of one shape.
type shape struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	Bundle      string `json:"bundle"`
}

func shapes(name string) map[string]shape {
	begin, end := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	template := func(of string, ca bool) *x509.Certificate {
		made := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: of}, NotBefore: begin, NotAfter: end,
			IsCA: ca, BasicConstraintsValid: ca}
		if ca {
			made.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
		}
		return made
	}
	all := map[string]shape{}
	add := func(what string, certificate, bundle *x509.Certificate, of key) {
		der := must(x509.MarshalPKCS8PrivateKey(of.signer))
		all[what] = shape{block("CERTIFICATE", certificate.Raw), block("PRIVATE KEY", der), block("CERTIFICATE", bundle.Raw)}
	}
	own := curve("p256", elliptic.P256())
	for what, ca := range map[string]bool{"self-signed, a CA": true, "self-signed, no CA": false} {
		leaf := template("self", ca)
		leaf.DNSNames = []string{name}
		made := sign(what, leaf, leaf, own, own)
		add(what, made, made, own)
	}
	under := func(what string, by key, algorithm x509.SignatureAlgorithm, pinned bool) {
		ca := template("CA "+what, true)
		ca.SignatureAlgorithm = algorithm
		signer := sign(what, ca, ca, by, by)
		leaf := template("leaf", false)
		leaf.DNSNames, leaf.SignatureAlgorithm = []string{name}, algorithm
		made := sign(what, leaf, signer, own, by)
		if pinned {
			signer = made
		}
		add(what, made, signer, own)
	}
	under("a pinned leaf", curve("p256", elliptic.P256()), x509.ECDSAWithSHA256, true)
	under("a CA on P-521", curve("p521", elliptic.P521()), x509.ECDSAWithSHA512, false)
	under("ECDSA with SHA-512", curve("p256", elliptic.P256()), x509.ECDSAWithSHA512, false)
	return all
}

func main() {
	output := json.NewEncoder(os.Stdout)
	switch {
	case len(os.Args) == 4 && os.Args[1] == "random":
		chosen := dice{mathrand.New(mathrand.NewSource(must(strconv.ParseInt(os.Args[2], 10, 64))))}
		_, edwards, err := ed25519.GenerateKey(rand.Reader)
		must(edwards, err)
		keys := []key{curve("p256", elliptic.P256()), curve("p256", elliptic.P256()), curve("p384", elliptic.P384()),
			curve("p521", elliptic.P521()), curve("p224", elliptic.P224()), {"ed25519", edwards},
			{"rsa", must(rsa.GenerateKey(rand.Reader, 2048))}, {"rsa-1024", must(rsa.GenerateKey(rand.Reader, 1024))}}
		for range must(strconv.Atoi(os.Args[3])) {
			must(0, output.Encode(chosen.random(keys)))
		}
	case len(os.Args) == 3 && os.Args[1] == "shapes":
		must(0, output.Encode(shapes(os.Args[2])))
	default:
		fmt.Fprintln(os.Stderr, "usage: crypto-x509 random SEED COUNT | shapes NAME")
		os.Exit(2)
	}
}
