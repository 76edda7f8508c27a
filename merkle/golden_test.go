package merkle

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"dfs/cas"
)

var update = flag.Bool("update", false, "write the golden vectors instead of comparing with them")

const vectorFile = "../testdata/vectors/merkle/trees.json"

// vectors is the form of the golden file. Bytes are hexadecimal.
type vectors struct {
	Comment   string
	Hashes    []hashVector
	Listed    []treeVector // trees with all their entries and nodes
	Generated []generatedVector
}

type hashVector struct {
	Key   string
	Level int
	Hash  string // the key hash, 16 digits, as the number is written
}

type treeVector struct {
	Name    string
	Entries [][2]string // path, value
	Root    string
	Nodes   []string // as emitted
}

type generatedVector struct {
	Entries int
	Nodes   []int // by level, leaves first
	Bytes   int   // of all nodes
	Root    string
}

const vectorComment = "Trees of package merkle. Generated: for i from 0, path = decimal(i*7919 mod 1000003) in seven digits, " +
	"with a '/' after the second and the fourth; value = SHA-256(path) repeated 1 + first byte mod 8 times."

func generatedModel(n int) model {
	m := model{}
	for i := range n {
		d := fmt.Sprintf("%07d", i*7919%1000003)
		p := d[:2] + "/" + d[2:4] + "/" + d[4:]
		id := cas.Sum([]byte(p))
		for range 1 + id[0]%8 {
			m[p] += string(id[:])
		}
	}
	return m
}

func listedModels() map[string]model {
	wide := model{}
	for i := range 6 { // values that fill more than one node
		wide[fmt.Sprintf("wide/%d", i)] = string(make([]byte, 7000+i))
	}
	return map[string]model{
		"0 empty":        {},
		"1 one entry":    {"a": "\x01"},
		"2 worked":       {"a": "\x01", "a/b": "\x02\x03", "a b": "\x04"},
		"3 order":        {"x": "1", "x/": "2", "x/\x00": "3", "x\x00": "4", "x ": "5", "x.y": "6", "xy": "7", "\xff": "8"},
		"4 two levels":   wide,
		"5 long varints": {string(slices.Repeat([]byte("d/"), 100)) + "f": string(make([]byte, 200)), string(slices.Repeat([]byte("d/"), 100)) + "g": "v"},
	}
}

func makeVectors(t *testing.T) vectors {
	v := vectors{Comment: vectorComment}
	for _, key := range []string{"a", "a/b", "projects/group-000/module-0000/source_file_00000.go"} {
		for level := range 3 {
			v.Hashes = append(v.Hashes, hashVector{hex.EncodeToString([]byte(key)), level, fmt.Sprintf("%016x", keyHash(level, []byte(key)))})
		}
	}
	models := listedModels()
	for _, name := range slices.Sorted(maps.Keys(models)) {
		m, mem := models[name], newMemory()
		tv := treeVector{Name: name, Entries: [][2]string{}, Root: build(t, targetBits, m, mem).String()}
		for _, p := range m.paths() {
			tv.Entries = append(tv.Entries, [2]string{hex.EncodeToString([]byte(p)), hex.EncodeToString([]byte(m[p]))})
		}
		for _, id := range mem.puts {
			tv.Nodes = append(tv.Nodes, hex.EncodeToString(mem.nodes[id]))
		}
		v.Listed = append(v.Listed, tv)
	}
	for _, n := range []int{100, 1000, 10000, 100000} {
		mem := newMemory()
		gv := generatedVector{Entries: n, Root: build(t, targetBits, generatedModel(n), mem).String()}
		for _, data := range mem.nodes {
			for len(gv.Nodes) <= int(data[1]) {
				gv.Nodes = append(gv.Nodes, 0)
			}
			gv.Nodes[data[1]]++
			gv.Bytes += len(data)
		}
		v.Generated = append(v.Generated, gv)
	}
	return v
}

func TestGoldenVectors(t *testing.T) {
	got := makeVectors(t)
	if *update {
		data, err := json.MarshalIndent(got, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(vectorFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("trees differ from the golden vectors: the format is frozen")
	}
	for _, tv := range want.Listed {
		mem := newMemory()
		for _, n := range tv.Nodes {
			data, err := hex.DecodeString(n)
			if err != nil {
				t.Fatal(err)
			}
			mem.nodes[cas.Sum(data)] = data
		}
		root, err := cas.ParseID(tv.Root)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(readBack(t, mem, root), listedModels()[tv.Name]) {
			t.Errorf("%s: the listed nodes read as another map", tv.Name)
		}
	}
}
