"""What a run does: names become objects and go through the loop; it is saved, resumed, evaluated and used."""
