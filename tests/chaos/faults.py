"""All faults, by name."""

import faults_of_clients
import faults_of_crowds
import faults_of_load
import faults_of_networks
import faults_of_processes
import faults_of_resources
import faults_of_stores

ROOMS = (
    faults_of_processes,
    faults_of_stores,
    faults_of_resources,
    faults_of_networks,
    faults_of_clients,
    faults_of_crowds,
    faults_of_load,
)
FAULTS = {fault.name: fault for room in ROOMS for fault in room.FAULTS}
