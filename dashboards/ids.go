package dashboards

// Ids of rows and panels. A panel has the same id on each dashboard that shows it.
// Links and alert rules name them: never change one or use it for something else.
const (
	rowTrust uint32 = iota + 1
	rowNow
	rowAttention
	rowPlaces
	rowComfort
	rowAir
	rowEnergy
	rowOccupancy
	rowAnomalies
	rowAggregates
	rowReadings
	rowTables
)

// The panels.
const (
	panelGuide      uint32 = 20
	panelTrust      uint32 = 21
	panelNow        uint32 = 22
	panelStatus     uint32 = 23
	panelRange      uint32 = 24
	panelStatusBars uint32 = 25

	panelEventTiles  uint32 = 30
	PanelOpenEvents  uint32 = 31 // what is wrong now
	panelEventTypes  uint32 = 32
	panelEventHours  uint32 = 33
	panelEventRecent uint32 = 34
	panelEventRooms  uint32 = 35
	panelEventTrend  uint32 = 36
	panelFindings    uint32 = 37

	panelPlaces    uint32 = 40
	panelRoomTypes uint32 = 41

	panelTemperature  uint32 = 50
	panelHumidity     uint32 = 51
	panelComfortBars  uint32 = 52
	panelTemperatures uint32 = 53

	PanelCO2      uint32 = 60 // CO₂ over time
	panelCO2Bands uint32 = 61
	panelCO2Types uint32 = 62
	panelCO2State uint32 = 63

	panelLoad        uint32 = 70
	panelEnergyBars  uint32 = 71
	panelEnergyTiles uint32 = 72
	panelLoadProfile uint32 = 73
	PanelAfterHours  uint32 = 74 // energy outside opening hours
	panelPerOccupied uint32 = 75
	panelDaily       uint32 = 76
	panelLoadWeek    uint32 = 77
	panelTopRooms    uint32 = 78

	panelPeople      uint32 = 80
	panelEmpty       uint32 = 81
	panelPeopleTypes uint32 = 82

	panelAggregates uint32 = 90
	panelReadings   uint32 = 91

	PanelSilent       uint32 = 100 // sensors that say nothing
	panelStuck        uint32 = 101
	panelReceived     uint32 = 102
	panelReceivedTime uint32 = 103
	panelRefused      uint32 = 104
	panelRefusedWhy   uint32 = 105
	panelUnplaced     uint32 = 106

	PanelThroughput  uint32 = 110 // readings stored over time
	panelDelay       uint32 = 111
	panelPipeline    uint32 = 112
	PanelDeadLetters uint32 = 113 // refused messages over time
	panelLetters     uint32 = 114
	panelWatermarks  uint32 = 115
	panelTableSizes  uint32 = 116
	panelFound       uint32 = 117
)
