package simulate

import (
	"strconv"
	"strings"
)

// place names one room and its sensor. Names depend on the position alone, so
// they stay when the layout grows.
type place struct {
	sensorID, roomID, building, floor string
	kind                              *roomKind
}

// placeAt counts buildings, floors and rooms from 0.
func placeAt(building, floor, room int) place {
	kind := &roomKinds[room%len(roomKinds)]
	letters := lettersOf(building)
	storey := strconv.Itoa(floor + 1)
	number := strconv.Itoa((floor+1)*100 + room + 1)
	slug := strings.ReplaceAll(strings.ToLower(kind.name), " ", "-")
	return place{
		sensorID: "bldg-" + strings.ToLower(letters) + "-f" + storey + "-" + slug + "-" + number,
		roomID:   "Building" + letters + "-Floor" + storey + "-" + strings.ReplaceAll(kind.name, " ", "") + "-" + number,
		building: "Building " + letters,
		floor:    "Floor " + storey,
		kind:     kind,
	}
}

// lettersOf counts A to Z, AA, AB and so on, as columns of a spreadsheet.
func lettersOf(n int) string {
	var letters string
	for n++; n > 0; n = (n - 1) / 26 {
		letters = string(rune('A'+(n-1)%26)) + letters
	}
	return letters
}
