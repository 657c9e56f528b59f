"""All faults, by name."""

import faults_of_networks
import faults_of_processes

FAULTS = {
    fault.name: fault for room in (faults_of_processes, faults_of_networks) for fault in room.FAULTS
}
