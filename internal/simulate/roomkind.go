package simulate

import "math"

const numKinds = 6

// hours are when a kind of room is in use.
type hours uint8

const (
	officeHours hours = iota
	shifts
	aroundTheClock
)

// roomKind is the character of a type of room. Sizes, setpoints and loads are
// chosen unless a source is named.
type roomKind struct {
	name     string
	index    int     // in roomKinds
	capacity float64 // persons
	volume   float64 // m³ of air that people and ventilation share

	// freshAir is the supply of outdoor air in l/s for each person of the
	// capacity. ASHRAE 62.1 asks for about 8.5 in offices (default combined rate);
	// more keeps a full room below 1000 ppm, as good operators do.
	freshAir float64
	hours    hours   // when the plant runs
	activity float64 // CO₂ of a person relative to office work

	setpoint, setback float64 // °C: in use, and how far it falls in a winter night
	crowding          float64 // °C that a full room adds
	exposure          float64 // share of the weather that comes through the walls
	humidity          float64 // % relative humidity at the setpoint

	// Energy in kWh per hour: always, while the room is in use, for each person,
	// and for each kelvin between indoors and outdoors.
	base, inUse, perPerson, perKelvin float64

	// airStep is how much of the way to its final level CO₂ goes in one tick, with
	// all the fresh air and with that of the night.
	airStep, airStepNight float64

	profile  []point // of a working day, for rooms that crowds fill
	presence week
	people   func(key uint64, capacity float64, m *moment, kind int) int
}

// roomKinds are the types of rooms in the order in which a floor has them.
//
// 18–27 °C is what ASHRAE TC 9.9 recommends for the air that servers take in.
var roomKinds = [numKinds]roomKind{
	{
		name: "Office", index: 0, capacity: 12, volume: 180, freshAir: 12, activity: 1,
		setpoint: 21.8, setback: 2.8, crowding: 0.7, exposure: 1, humidity: 43,
		base: 6, inUse: 10, perPerson: 1.1, perKelvin: 0.5, profile: officeDay, presence: officeWeek, people: crowd,
	},
	{
		name: "Conference Room", index: 1, capacity: 14, volume: 120, freshAir: 10, activity: 1,
		setpoint: 21.5, setback: 2.5, crowding: 1.6, exposure: 0.8, humidity: 43,
		base: 3, inUse: 5, perPerson: 0.6, perKelvin: 0.4, people: meetings,
	},
	{
		name: "Lobby", index: 2, capacity: 20, volume: 400, freshAir: 12, activity: 1.3,
		setpoint: 20.8, setback: 2.5, crowding: 0.5, exposure: 2, humidity: 42,
		base: 5, inUse: 12, perPerson: 0.2, perKelvin: 0.6, profile: lobbyDay, presence: lobbyWeek, people: crowd,
	},
	{
		name: "Cafeteria", index: 3, capacity: 60, volume: 525, freshAir: 10, activity: 1,
		setpoint: 21.5, setback: 3, crowding: 1.8, exposure: 1, humidity: 46,
		base: 12, inUse: 25, perPerson: 0.5, perKelvin: 0.6, profile: cafeteriaDay, presence: cafeteriaWeek, people: crowd,
	},
	{
		name: "Server Room", index: 4, capacity: 3, volume: 90, freshAir: 10, hours: aroundTheClock, activity: 1,
		setpoint: 20.5, setback: 0, crowding: 0.2, exposure: 0.2, humidity: 45,
		base: 92, inUse: 6, perPerson: 0.3, perKelvin: 0.4, people: visits,
	},
	{
		name: "Warehouse", index: 5, capacity: 10, volume: 1600, freshAir: 70, hours: shifts, activity: 1.8,
		setpoint: 17.5, setback: 2, crowding: 0.2, exposure: 2.5, humidity: 50,
		base: 10, inUse: 20, perPerson: 0.8, perKelvin: 0.7, profile: warehouseDay, presence: warehouseWeek, people: crowd,
	},
}

func init() {
	for i := range roomKinds {
		k := &roomKinds[i]
		perTick := tickSeconds * k.freshAir * k.capacity / (1000 * k.volume)
		k.airStep, k.airStepNight = 1-math.Exp(-perTick), 1-math.Exp(-perTick*nightAir)
	}
}
