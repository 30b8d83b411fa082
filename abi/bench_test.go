package abi_test

import (
	"testing"

	"github.com/avx-platform/avxrt/abi"
)

// BenchmarkFrame shows what one event costs at the border beside a plain copy of the same bytes.
func BenchmarkFrame(b *testing.B) {
	ev := abi.Event{Topic: "orders.created", Key: "order-536365", ID: "inv-536365", Source: "/shop", Data: make([]byte, 256)}
	frame := abi.AppendFrame(nil, &ev)
	buf := make([]byte, len(frame))
	var got abi.Event
	b.Run("op=put", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			abi.PutFrame(buf, &ev)
		}
	})
	b.Run("op=decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := abi.DecodeFrame(frame, &got); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("op=copy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			copy(buf, frame)
		}
	})
}
