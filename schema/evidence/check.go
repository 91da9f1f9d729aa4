// Checks an evidence bundle with golang.org/x/mod/sumdb, which is not ours: note signatures and tree hashes are its work.
//
//	go run check.go BUNDLE 'KEY of the ledger' ['KEY of a witness' ...]
//
// Each KEY is a line NAME+HASH+KEY, from whoever you trust, not from the bundle. All witnesses named must have signed.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A cosigner is a witness (c2sp.org/tlog-cosignature): kind 4, a time before the signature, a line of its own signed too.
type cosigner struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(c.public, []byte(signed), sig[8:])
}

func verifier(key string) (note.Verifier, error) {
	known, err := note.NewVerifier(key)
	if err == nil {
		return known, nil
	}
	parts := strings.SplitN(key, "+", 3)
	if len(parts) != 3 {
		return nil, err
	}
	data, bad := base64.StdEncoding.DecodeString(parts[2])
	if bad != nil || len(data) != 33 || data[0] != 4 {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	if fmt.Sprintf("%x", sum[:4]) != parts[1] {
		return nil, fmt.Errorf("the hash of %s is not that of its name and key", parts[0])
	}
	return cosigner{parts[0], binary.BigEndian.Uint32(sum[:4]), ed25519.PublicKey(data[1:])}, nil
}

// checkpoint opens a note that all keys have signed, and says the tree that it is about.
func checkpoint(text string, keys []note.Verifier) (tree tlog.Tree, err error) {
	opened, err := note.Open([]byte(text), note.VerifierList(keys...))
	if err != nil {
		return tree, err
	}
	if len(opened.Sigs) != len(keys) {
		return tree, fmt.Errorf("%d of %d keys have signed", len(opened.Sigs), len(keys))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != keys[0].Name() {
		return tree, fmt.Errorf("a checkpoint of %q, not of %q", lines[0], keys[0].Name())
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// check holds one entry against its proof (c2sp.org/tlog-proof).
func check(entry, proof string, keys []note.Verifier) error {
	head, signed, found := strings.Cut(proof, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return fmt.Errorf("not a proof")
	}
	index, err := strconv.ParseInt(lines[1][len("index "):], 10, 64)
	if err != nil {
		return err
	}
	var path tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		path = append(path, hash)
	}
	tree, err := checkpoint(signed, keys)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash([]byte(entry)))
}

func main() {
	if len(os.Args) < 3 {
		fail("usage: check BUNDLE KEY [KEY of a witness ...]")
	}
	var keys []note.Verifier
	for _, key := range os.Args[2:] {
		known, err := verifier(strings.TrimSpace(key))
		if err != nil {
			fail("%s: %v", key, err)
		}
		keys = append(keys, known)
	}
	entries, _ := filepath.Glob(filepath.Join(os.Args[1], "entries", "*.json"))
	proofs, _ := filepath.Glob(filepath.Join(os.Args[1], "proofs", "*"))
	if len(entries) == 0 || len(entries) != len(proofs) {
		fail("%d entries, %d proofs", len(entries), len(proofs))
	}
	for _, file := range entries {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		entry, err := os.ReadFile(file)
		if err != nil {
			fail("%v", err)
		}
		proof, err := os.ReadFile(filepath.Join(os.Args[1], "proofs", name+".tlog-proof"))
		if err != nil {
			fail("%v", err)
		}
		if err := check(string(entry), string(proof), keys); err != nil {
			fail("%s: %v", name, err)
		}
	}
	fmt.Printf("ok: %d entries are under the checkpoint, which %d keys have signed\n", len(entries), len(keys))
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
