// Says what kubectl reads of manifests, for the tests of `inject`: its own decoder is asked.
//
// Standard input holds one JSON string a line, each a stream of manifests. Standard output gets one
// JSON array a line, with an element for each document that is not empty: {"object": …} or
// {"error": "…"}.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/util/yaml"
)

type document struct {
	Object json.RawMessage `json:"object,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// raw keeps an object as it comes, as runtime.RawExtension does in kubectl.
type raw []byte

func (r *raw) UnmarshalJSON(in []byte) error {
	*r = append((*r)[:0], in...)
	return nil
}

func read(stream string) []document {
	documents := []document{}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(stream)), 4096)
	last := ""
	for {
		var object raw
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return documents
		}
		if err != nil {
			// kubectl ends here. What follows is of interest all the same, as long as it goes on.
			var jsonError yaml.JSONSyntaxError
			if errors.As(err, &jsonError) || err.Error() == last && len(documents) > 1000 {
				return append(documents, document{Error: err.Error()})
			}
			last = err.Error()
			documents = append(documents, document{Error: last})
			continue
		}
		object = bytes.TrimSpace(object)
		if len(object) == 0 || bytes.Equal(object, []byte("null")) {
			continue
		}
		documents = append(documents, document{Object: json.RawMessage(object)})
	}
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var stream string
			if err := json.Unmarshal(line, &stream); err != nil {
				fmt.Fprintln(os.Stderr, "not a JSON string:", err)
				os.Exit(2)
			}
			if err := encoder.Encode(read(stream)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(2)
			}
		}
		if err != nil {
			return
		}
	}
}
