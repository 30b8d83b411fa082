package abi_test

import (
	"fmt"

	"github.com/avx-platform/avxrt/abi"
)

func Example() {
	ev := abi.Event{Topic: "users.created", Key: "user-7", ID: "a-1", Source: "/shop", Data: []byte(`{"name":"Ada"}`)}
	ev.Headers, _ = ev.Headers.Append(abi.HeaderCorrelation, "a-1")
	frame := abi.AppendFrame(nil, &ev)

	var got abi.Event // its strings are views into frame
	if err := abi.DecodeFrame(frame, &got); err != nil {
		fmt.Println(err)
		return
	}
	correlation, _ := got.Headers.Get(abi.HeaderCorrelation)
	fmt.Println(len(frame), got.Topic, got.Key, correlation, string(got.Data))
	// Output: 157 users.created user-7 a-1 {"name":"Ada"}
}
