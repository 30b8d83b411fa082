package sandbox

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/avx-platform/avxrt/abi"
)

// hostGet is kv_get(k, klen, buf, cap).
func (i *Instance) hostGet(stack []uint64) {
	key := i.view(stack, 0)
	if len(key) > abi.MaxStateKeyBytes {
		answer(stack, int32(abi.TooLarge))
		return
	}
	value, ok := i.get(key)
	if !ok {
		answer(stack, int32(abi.NotFound))
		return
	}
	i.give(stack, 2, value)
}

// get reads through what the run has written to the committed state.
func (i *Instance) get(key []byte) ([]byte, bool) {
	if w, ok := i.staged.lookup(key); ok {
		return w.Value, !w.Delete
	}
	value, ok, err := i.batch.State.Get(key)
	i.checkTime()
	if err != nil {
		i.trap(TrapHost, "the state could not be read: "+err.Error())
	}
	return value, ok
}

// hostSet is kv_set(k, klen, v, vlen).
func (i *Instance) hostSet(stack []uint64) {
	answer(stack, int32(i.write(Write{Key: i.view(stack, 0), Value: i.view(stack, 2)})))
}

// hostDel is kv_del(k, klen).
func (i *Instance) hostDel(stack []uint64) {
	answer(stack, int32(i.write(Write{Key: i.view(stack, 0), Delete: true})))
}

// write stages a write whose key and value are the guest's memory: they are copied when
// nothing speaks against it.
func (i *Instance) write(w Write) abi.Status {
	s := &i.staged.event
	status := i.writable()
	switch {
	case status != 0 && !i.migrating:
		return status
	case len(w.Key) > abi.MaxStateKeyBytes || len(w.Value) > abi.MaxStateValueBytes:
		return abi.TooLarge
	case len(w.Key) == 0:
		return abi.Invalid
	case s.stateBytes+writeBytes(w) > i.limits.StateBytes:
		return abi.Quota
	}
	s.stateBytes += writeBytes(w)
	if s.writes == nil {
		s.writes = map[string]Write{}
	}
	s.writes[string(w.Key)] = Write{Key: bytes.Clone(w.Key), Value: bytes.Clone(w.Value), Delete: w.Delete}
	return 0
}

// writeOverhead is what the host keeps for a write besides its bytes.
const writeOverhead = 64

func writeBytes(w Write) int { return writeOverhead + len(w.Key) + len(w.Value) }

// scanEntry is the part of a packed entry before key and value.
const scanEntry = 8

// hostScan is kv_scan(prefix, plen, after, alen, buf, cap).
func (i *Instance) hostScan(stack []uint64) {
	prefix, after := i.view(stack, 0), i.view(stack, 2)
	if len(prefix) > abi.MaxStateKeyBytes { // no key is so long
		answer(stack, 0)
		return
	}
	prefix, after = bytes.Clone(prefix), bytes.Clone(after[:min(len(after), abi.MaxStateKeyBytes)]) // of which the rest decides nothing
	buf, capacity := uint32(stack[4]), int(max(int32(stack[5]), 0))
	// Without the bound a guest of a few pages could have the host collect gigabytes.
	p := &packer{capacity: min(capacity, i.roomAt(buf))}
	i.scan(prefix, after, p.add)
	i.checkTime()
	switch {
	case p.need > capacity: // not even the first entry fits
		answer(stack, int32(p.need))
	case p.need > 0: // it does by what the guest says, but not into its memory
		i.trap(TrapPointer, outsideMemory)
	default:
		copy(i.bytes(buf, uint32(len(p.out))), p.out)
		answer(stack, int32(len(p.out)))
	}
}

// packer collects entries up to a capacity.
type packer struct {
	out      []byte
	capacity int
	need     int // size of the first entry if it alone is too large
}

func (p *packer) add(key, value []byte) bool {
	size := scanEntry + len(key) + len(value)
	if len(p.out)+size > p.capacity {
		if len(p.out) == 0 {
			p.need = size
		}
		return false
	}
	p.out = binary.LittleEndian.AppendUint32(p.out, uint32(len(key)))
	p.out = binary.LittleEndian.AppendUint32(p.out, uint32(len(value)))
	p.out = append(append(p.out, key...), value...)
	return true
}

// scanFuel is the price of looking at one write of the run.
const scanFuel = 16

// scan merges what the run has written with the committed state, in the order of keys.
func (i *Instance) scan(prefix, after []byte, fn func(key, value []byte) bool) {
	i.owe(scanFuel * (len(i.staged.writes) + len(i.staged.event.writes)))
	i.pay()
	own := i.ownWrites(string(prefix), string(after))
	open := true
	emit := func(w Write) { open = open && (w.Delete || fn(w.Key, w.Value)) }
	err := i.batch.State.Scan(prefix, after, func(key, value []byte) bool {
		for len(own) > 0 && string(own[0].Key) < string(key) {
			emit(own[0])
			own = own[1:]
		}
		if len(own) > 0 && bytes.Equal(own[0].Key, key) {
			emit(own[0])
			own = own[1:]
		} else {
			emit(Write{Key: key, Value: value})
		}
		return open
	})
	if err != nil {
		i.trap(TrapHost, "the state could not be read: "+err.Error())
	}
	for _, w := range own {
		emit(w)
	}
}

// ownWrites returns the run's writes to keys with prefix above after, by key.
func (i *Instance) ownWrites(prefix, after string) []Write {
	var own []Write
	for _, layer := range []map[string]Write{i.staged.writes, i.staged.event.writes} {
		for key := range layer {
			if strings.HasPrefix(key, prefix) && key > after {
				w, _ := i.staged.lookup([]byte(key))
				own = append(own, w)
			}
		}
	}
	slices.SortFunc(own, func(a, b Write) int { return bytes.Compare(a.Key, b.Key) })
	return slices.CompactFunc(own, func(a, b Write) bool { return bytes.Equal(a.Key, b.Key) })
}
