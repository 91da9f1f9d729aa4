// Reads a folder of tiles with golang.org/x/mod/sumdb: each hash that tlog asks for is held against the signed root.
//
//	go run tiles.go FOLDER 'KEY of the ledger'
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type folder string

func (f folder) Height() int { return 8 }

// ReadTiles finds tiles by the names of sumdb, tile/HEIGHT/LEVEL/N, less the height, which c2sp.org/tlog-tiles fixes.
func (f folder) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		name := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		read, err := os.ReadFile(filepath.Join(string(f), name))
		if err != nil {
			return nil, err
		}
		data = append(data, read)
	}
	return data, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// entries reads the bundle that a leaf is in, as it is for a tree of that size.
func (f folder) entries(index, size int64) (found [][]byte, err error) {
	tile := tlog.Tile{H: 8, L: 0, N: index / 256, W: 256}
	if rest := size - tile.N*256; rest < 256 {
		tile.W = int(rest)
	}
	name := "tile/entries/" + strings.TrimPrefix(tile.Path(), "tile/8/0/")
	data, err := os.ReadFile(filepath.Join(string(f), name))
	for err == nil && len(data) > 2 {
		end := 2 + int(binary.BigEndian.Uint16(data))
		if end > len(data) {
			return nil, fmt.Errorf("%s: cut", name)
		}
		found, data = append(found, data[2:end]), data[end:]
	}
	if err == nil && (len(data) != 0 || len(found) != tile.W) {
		return nil, fmt.Errorf("%s: %d entries", name, len(found))
	}
	return found, err
}

func main() {
	known, err := note.NewVerifier(os.Args[2])
	check(err)
	text, err := os.ReadFile(filepath.Join(os.Args[1], "checkpoint"))
	check(err)
	opened, err := note.Open(text, note.VerifierList(known))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	tree := tlog.Tree{N: size, Hash: root}
	reader := tlog.TileHashReader(tree, folder(os.Args[1]))
	var bundle [][]byte
	for index := int64(0); index < size; index++ {
		if index%256 == 0 {
			bundle, err = folder(os.Args[1]).entries(index, size)
			check(err)
		}
		hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		check(err)
		if hashes[0] != tlog.RecordHash(bundle[index%256]) {
			check(fmt.Errorf("entry %d is not the one of its leaf", index))
		}
	}
	fmt.Printf("ok: %d entries are those of the signed tree\n", size)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
