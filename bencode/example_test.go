package bencode_test

import (
	"errors"
	"fmt"

	"shoal/bencode"
)

// A query as it comes in over the DHT (BEP 5).
func ExampleParse() {
	v, err := bencode.Parse([]byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"))
	if err != nil {
		fmt.Println(err)
		return
	}
	q, _ := v.Get("q").Text()
	id, _ := v.Get("a").Get("id").Text()
	fmt.Println(q, id)
	fmt.Printf("%s\n", v.Get("a").Raw())
	// Output:
	// ping abcdefghij0123456789
	// d2:id20:abcdefghij0123456789e
}

// The reply of a tracker that does not sort its keys.
func ExampleOptions() {
	reply := []byte("d8:intervali1800e5:peers0:8:completei3ee")
	_, err := bencode.Parse(reply)
	fmt.Println(err, errors.Is(err, bencode.ErrOrder))

	v, err := bencode.Options{Lenient: true}.Parse(reply)
	if err != nil {
		fmt.Println(err)
		return
	}
	for key, value := range v.Entries() {
		fmt.Printf("%s: %v %s\n", key, value.Kind(), value.Raw())
	}
	// Output:
	// bencode: dictionary keys out of order at byte 26 true
	// interval: integer i1800e
	// peers: string 0:
	// complete: integer i3e
}

func ExampleWriter() {
	w := bencode.NewWriter(nil)
	w.BeginDict()
	w.Key("msg_type")
	w.Int(0)
	w.Key("piece")
	w.Int(7)
	w.End()
	fmt.Printf("%s\n", w.Finish())
	// Output: d8:msg_typei0e5:piecei7ee
}
