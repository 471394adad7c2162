// Judges histories with porcupine: a line of JSON for each history on standard input, a verdict for each on standard output.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"

	"github.com/anishathalye/porcupine"
)

type ended struct {
	AtMs   float64
	Read   *string
	IsDone *bool
}

type does struct {
	Read  bool
	Write *string
	From  *string
	To    *string
}

type operation struct {
	Client  string
	Key     string
	Does    does
	BeginMs float64
	Ended   *ended
}

// The value of a register: nothing until it is written.
type value struct {
	isThere bool
	text    string
}

func valueOf(text *string) value {
	if text == nil {
		return value{}
	}
	return value{true, *text}
}

var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := map[string][]porcupine.Operation{}
		for _, each := range history {
			key := each.Input.(operation).Key
			keys[key] = append(keys[key], each)
		}
		parts := [][]porcupine.Operation{}
		for _, part := range keys {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() interface{} { return value{} },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		asked := input.(operation)
		now := state.(value)
		if asked.Does.Read {
			return asked.Ended == nil || valueOf(asked.Ended.Read) == now, now
		}
		if asked.Does.Write != nil {
			return true, valueOf(asked.Does.Write)
		}
		isDone := valueOf(asked.Does.From) == now
		if asked.Ended != nil && *asked.Ended.IsDone != isDone {
			return false, now
		}
		if isDone {
			return true, valueOf(asked.Does.To)
		}
		return true, now
	},
	Equal: func(a, b interface{}) bool { return a.(value) == b.(value) },
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var asked []operation
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		clients := map[string]int{}
		history := []porcupine.Operation{}
		for at, each := range asked {
			client, known := clients[each.Client]
			if !known {
				client = len(clients)
				clients[each.Client] = client
			}
			end := int64(math.MaxInt64)
			if each.Ended != nil {
				end = int64(each.Ended.AtMs * 1e6)
			} else {
				// It never ends, so that its client, as porcupine sees it, asks nothing else.
				client = len(asked) + at
			}
			history = append(history, porcupine.Operation{ClientId: client, Input: each, Call: int64(each.BeginMs * 1e6), Output: nil, Return: end})
		}
		fmt.Println(porcupine.CheckOperations(register, history))
	}
}
