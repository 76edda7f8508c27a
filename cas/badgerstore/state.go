package badgerstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
)

const (
	stateName  = "STORE"
	stateMagic = "dfs-cas1"
	stateSize  = len(stateMagic) + 8 + 8 + 1 + 4
)

// stateFile is the file STORE: the lock, and what is known to be durable. It is
// never synced: what a power cut leaves of it is either true or fails its checksum.
type stateFile struct {
	found state
	table int64 // for this Open

	mu   sync.Mutex
	file *os.File
}

// state is what the file says.
type state struct {
	watermark uint64 // all commits up to this timestamp are durable
	table     int64  // size of the tables
	clean     bool   // closed in order
}

// openState locks the file, creating it when it is not there, reads it, and marks
// it as not clean. Logs that were not closed in order fit only into tables of the
// size they were made for, or larger ones.
func openState(path string, table int64) (*stateFile, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	s := &stateFile{file: file, table: table}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

func (s *stateFile) begin() error {
	if err := lockFile(s.file); err != nil {
		return err
	}
	buf := make([]byte, stateSize)
	n, err := s.file.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if s.found, err = parseState(buf[:n]); err != nil {
		return err
	}
	if !s.found.clean {
		s.table = max(s.table, s.found.table)
	}
	return s.write(s.found.watermark, false)
}

// parseState returns the zero state for a file that is empty or damaged.
func parseState(buf []byte) (state, error) {
	magic := len(stateMagic)
	if len(buf) < stateSize {
		return state{}, nil
	}
	if string(buf[:magic-1]) == stateMagic[:magic-1] && buf[magic-1] != stateMagic[magic-1] {
		return state{}, fmt.Errorf("%s: format %q is of another release", stateName, buf[:magic])
	}
	if binary.BigEndian.Uint32(buf[stateSize-4:]) != stateSum(buf[:stateSize-4]) || string(buf[:magic]) != stateMagic {
		return state{}, nil
	}
	return state{
		watermark: binary.BigEndian.Uint64(buf[magic:]),
		table:     int64(binary.BigEndian.Uint64(buf[magic+8:])),
		clean:     buf[magic+16] == 1,
	}, nil
}

func stateSum(body []byte) uint32 {
	return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
}

func (s *stateFile) write(watermark uint64, clean bool) error {
	buf := append(make([]byte, 0, stateSize), stateMagic...)
	buf = binary.BigEndian.AppendUint64(buf, watermark)
	buf = binary.BigEndian.AppendUint64(buf, uint64(s.table))
	if clean {
		buf = append(buf, 1)
	} else {
		buf = append(buf, 0)
	}
	buf = binary.BigEndian.AppendUint32(buf, stateSum(buf))
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.file.WriteAt(buf, 0)
	return err
}

// setWatermark notes that all commits up to ts are durable.
func (s *stateFile) setWatermark(ts uint64) error { return s.write(ts, false) }

// markClean notes that all commits, of which ts is the last, are durable, and
// that the store is closed.
func (s *stateFile) markClean(ts uint64) error { return s.write(ts, true) }

func (s *stateFile) close() error { return s.file.Close() }
